/**
 * The formats of keys and tokens that carry their provider's mark. Facts from the vendors' documentation and from the
 * rule sets credited in NOTICE; each pattern is a bounded run of one class behind its mark, so matching is linear.
 */
import { type Detection, type Detector, isNameCode, runEnd, type Source, startsToken } from './boundary.js'

type Row = readonly [rule: string, marks: string, rest: RegExp]

/** Marks without blanks between them, and what follows each of them. Case matters only in the pattern. */
const B = '[A-Za-z0-9]'
const S = '[A-Za-z0-9_-]'
const H = '[a-f0-9]'
const rest = (source: string): RegExp => new RegExp(source, 'y')

const ROWS: readonly Row[] = [
  ['aws-access-key', 'AKIA ASIA ABIA ACCA', rest(`A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])`)],
  [
    'aws-bedrock-key',
    'ABSK bedrock-api-key-',
    rest(`(?:ABSK[A-Za-z0-9+/]{60,400}={0,2}|bedrock-api-key-[A-Za-z0-9+/=]{20,2000})`),
  ],
  ['aws-mws-key', 'amzn.mws.', rest(`amzn\\.mws\\.[a-f0-9-]{36}`)],
  ['github-token', 'ghp_ gho_ ghu_ ghs_ ghr_', rest(`gh[pousr]_${B}{30,255}`)],
  ['github-token', 'github_pat_', rest(`github_pat_[A-Za-z0-9_]{36,255}`)],
  [
    'gitlab-token',
    'glpat- glptt- glrt- gldt- glcbt- glft- glsoat- glagent- glimt- glffct- gloas- glrtr-',
    rest(`gl(?:pat|ptt|rtr|rt|dt|cbt|ft|soat|agent|imt|ffct|oas)-[A-Za-z0-9_.-]{18,300}`),
  ],
  ['gitlab-token', 'GR1348941', rest(`GR1348941${S}{20,60}`)],
  [
    'slack-token',
    'xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs-',
    rest(`xox[abcdeoprs][-.][A-Za-z0-9.%/+-]{10,400}`),
  ],
  ['slack-token', 'xapp-', rest(`xapp-\\d-[A-Za-z0-9-]{10,255}`)],
  [
    'openai-key',
    'sk-',
    rest(
      `sk-(?!ant-|or-v1-|lf-)(?:proj-|svcacct-|admin-|None-)?(?:(?=${S}{0,100}\\d)(?=${S}{0,100}[A-Z])${S}{20,300}|(?=[a-z]{0,100}\\d)${B}{20,255}${S}*)`,
    ),
  ],
  ['anthropic-key', 'sk-ant-', rest(`sk-ant-${S}{20,255}`)],
  ['openrouter-key', 'sk-or-v1-', rest(`sk-or-v1-${B}{20,255}`)],
  ['langfuse-key', 'sk-lf-', rest(`sk-lf-[a-f0-9-]{30,60}`)],
  [
    'stripe-key',
    'sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ rk_prod_ whsec_',
    rest(`(?:[sr]k_(?:live|test|prod)_|whsec_)[A-Za-z0-9_+/]{10,255}={0,2}`),
  ],
  ['elevenlabs-key', 'sk_', rest(`sk_${H}{40,64}(?![A-Za-z0-9])`)],
  ['google-api-key', 'AIza', rest(`AIza${S}{33,60}`)],
  ['google-oauth-token', 'ya29.', rest(`ya29\\.[A-Za-z0-9_.-]{20,2048}`)],
  ['google-oauth-secret', 'GOCSPX-', rest(`GOCSPX-${S}{20,60}`)],
  ['google-refresh-token', '1//0', rest(`1//0${S}{30,200}`)],
  ['npm-token', 'npm_', rest(`npm_${B}{30,80}`)],
  ['pypi-token', 'pypi-', rest(`pypi-(?=[A-Za-z0-9_-]{0,100}[A-Z])${S}{40,1024}`)],
  ['docker-token', 'dckr_pat_ dckr_oat_', rest(`dckr_(?:pat|oat)_${S}{20,255}`)],
  ['huggingface-token', 'hf_ api_org_', rest(`(?:hf_|api_org_)${B}{30,255}`)],
  ['sendgrid-key', 'SG.', rest(`SG\\.${S}{16,64}\\.${S}{16,64}`)],
  ['sendinblue-key', 'xkeysib- xsmtpsib-', rest(`x(?:key|smtp)sib-[a-f0-9]{40,80}(?:-${B}{10,30})?`)],
  ['mailgun-key', 'key-', rest(`key-${H}{32}(?:-${H}{8}-${H}{8})?(?![A-Za-z0-9])`)],
  ['mailersend-key', 'mlsn.', rest(`mlsn\\.${B}{40,100}`)],
  ['resend-key', 're_', rest(`re_(?=[A-Za-z0-9_]{0,100}\\d)(?=[A-Za-z0-9_]{0,100}[A-Z])[A-Za-z0-9]{6,12}_${B}{18,40}`)],
  ['vault-token', 'hvs. hvb. hvr.', rest(`hv[sbr]\\.${S}{20,400}`)],
  [
    'vault-token',
    's.',
    rest(
      `s\\.(?=[A-Za-z0-9]{0,100}\\d)(?=[A-Za-z0-9]{0,100}[A-Z])(?=[A-Za-z0-9]{0,100}[a-z])${B}{24}(?![A-Za-z0-9_.])`,
    ),
  ],
  ['digitalocean-token', 'dop_v1_ doo_v1_ dor_v1_', rest(`do[opr]_v1_${B}{40,80}`)],
  [
    'doppler-token',
    'dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.',
    rest(`dp\\.(?:pt|st|ct|sa|scim|audit)\\.[A-Za-z0-9_.-]{30,80}`),
  ],
  ['shopify-token', 'shpat_ shpca_ shppa_ shpss_ shpua_ shpit_', rest(`shp(?:at|ca|pa|ss|ua|it)_[a-fA-F0-9]{32,64}`)],
  ['square-token', 'sq0atp- sq0csp- sq0idp-', rest(`sq0(?:atp|csp|idp)-${S}{20,60}`)],
  ['square-token', 'EAAA', rest(`EAAA[A-Za-z0-9_+=-]{56,64}(?![A-Za-z0-9])`)],
  ['braintree-token', 'access_token$production$', rest(`access_token\\$production\\$[0-9a-z]{16}\\$[0-9a-f]{32}`)],
  ['databricks-token', 'dapi', rest(`dapi${H}{32}(?:-\\d)?(?![A-Za-z0-9])`)],
  ['linear-key', 'lin_api_ lin_oauth_', rest(`lin_(?:api|oauth)_${B}{30,80}`)],
  ['notion-token', 'secret_ ntn_', rest(`(?:secret|ntn)_(?=[A-Za-z0-9]{0,100}\\d)${B}{40,60}`)],
  ['figma-token', 'figd_ figo_ figu_', rest(`fig[dou]_${S}{30,80}`)],
  ['postman-key', 'PMAK-', rest(`PMAK-[a-f0-9]{24}-[a-f0-9]{34}`)],
  ['newrelic-key', 'NRAK- NRJS- NRII- NRRA- NRSP- NRIQ-', rest(`NR(?:AK|JS|II|RA|SP|IQ)-[A-Za-z0-9_-]{16,64}`)],
  ['grafana-token', 'glsa_ glc_', rest(`(?:glsa_${B}{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/_-]{32,400}={0,3})`)],
  ['heroku-key', 'HRKU-', rest(`HRKU-[A-Za-z0-9_-]{30,80}`)],
  ['pulumi-token', 'pul-', rest(`pul-[a-f0-9]{40}(?![A-Za-z0-9])`)],
  ['planetscale-token', 'pscale_tkn_ pscale_pw_ pscale_oauth_', rest(`pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,80}`)],
  ['prefect-key', 'pnu_ pnb_', rest(`pn[ub]_${B}{36}(?![A-Za-z0-9])`)],
  ['rubygems-key', 'rubygems_', rest(`rubygems_[a-f0-9]{40,64}`)],
  ['readme-key', 'rdme_', rest(`rdme_[a-z0-9]{60,80}`)],
  ['shippo-token', 'shippo_live_ shippo_test_', rest(`shippo_(?:live|test)_[a-f0-9]{40}`)],
  ['sentry-token', 'sntrys_ sntryu_', rest(`sntry[su]_[A-Za-z0-9_+/=-]{40,400}`)],
  ['supabase-key', 'sbp_ sb_secret_', rest(`(?:sbp_(?:v0_)?${H}{40}|sb_secret_${S}{20,60})`)],
  ['typeform-token', 'tfp_', rest(`tfp_[A-Za-z0-9_.-]{40,80}`)],
  [
    'vercel-token',
    'vcp_ vci_ vca_ vcr_ vck_ vercel_blob_rw_',
    rest(`(?:vc[piark]_${B}{24,80}|vercel_blob_rw_[A-Za-z0-9_]{30,80})`),
  ],
  [
    'yandex-key',
    'AQVN y0_ t1.9',
    rest(`(?:AQVN${S}{35,40}|y0_${S}{30,80}|t1\\.9[A-Za-z0-9_-]{10,400}={0,2}\\.[A-Za-z0-9_-]{40,160}={0,2})`),
  ],
  [
    'age-key',
    'AGE-SECRET-KEY-1 AGE-PLUGIN-',
    rest(`AGE-(?:SECRET-KEY-1[A-Z0-9]{50,70}|PLUGIN-[A-Z]+-1[A-Z0-9]{20,400})`),
  ],
  ['adafruit-key', 'aio_', rest(`aio_[A-Za-z0-9]{28}(?![A-Za-z0-9])`)],
  ['adobe-secret', 'p8e-', rest(`p8e-${S}{30,40}`)],
  ['airtable-token', 'pat', rest(`pat${B}{14}\\.[a-f0-9]{64}`)],
  ['alibaba-key', 'LTAI', rest(`LTAI[A-Za-z0-9]{12,26}(?![A-Za-z0-9])`)],
  ['tencent-key', 'AKID', rest(`AKID[A-Za-z0-9]{28,40}(?![A-Za-z0-9])`)],
  [
    'atlassian-token',
    'ATATT3 ATCTT3 ATBB ATTA',
    rest(`(?:AT[AC]TT3[A-Za-z0-9_=-]{50,300}|ATBB[A-Za-z0-9_=-]{24,60}|ATTA[a-f0-9]{60,80})`),
  ],
  ['buildkite-token', 'bkua_ bkct_ bkat_', rest(`bk(?:ua|ct|at)_${B}{36,80}`)],
  ['circleci-token', 'CCIPAT_ CCIPRJ_', rest(`CCIP(?:AT|RJ)_${B}{16,40}_[a-f0-9]{40}`)],
  ['clojars-token', 'CLOJARS_', rest(`CLOJARS_[a-z0-9]{50,70}`)],
  ['cloudflare-key', 'v1.0-', rest(`v1\\.0-[a-f0-9]{24}-[a-f0-9]{100,160}`)],
  ['cloudflare-token', 'cfut_ cfat_ cfk_', rest(`cf(?:ut|at|k)_${S}{30,80}`)],
  ['contentful-token', 'CFPAT-', rest(`CFPAT-${S}{30,80}`)],
  ['dynatrace-token', 'dt0c01. dt0s01. dt0s02. dt0s16.', rest(`dt0[cs]\\d\\d\\.[A-Z0-9]{8,24}\\.[A-Z0-9]{64}`)],
  ['duffel-token', 'duffel_live_ duffel_test_', rest(`duffel_(?:live|test)_[A-Za-z0-9_=-]{30,60}`)],
  ['easypost-key', 'EZAK EZTK', rest(`EZ[AT]K[A-Za-z0-9]{54}`)],
  [
    'facebook-token',
    'EAA',
    rest(`EAA[MC](?=[A-Za-z]{0,100}\\d)${B}{60,300}|EAA[A-Za-z](?=[A-Za-z]{0,100}\\d)${B}{80,300}`),
  ],
  ['flutterwave-key', 'FLWSECK', rest(`FLWSECK(?:_TEST)?-[a-zA-Z0-9]{12,40}(?:-X)?`)],
  ['frameio-token', 'fio-u-', rest(`fio-u-[A-Za-z0-9_=-]{50,80}`)],
  ['infracost-key', 'ico-', rest(`ico-${B}{32}(?![A-Za-z0-9])`)],
  ['jfrog-key', 'AKCp cmVmdGtu', rest(`(?:AKCp[A-Za-z0-9]{60,80}|cmVmdGtu[A-Za-z0-9]{50,70})`)],
  ['mapbox-token', 'sk.eyJ tk.eyJ', rest(`[st]k\\.eyJ[A-Za-z0-9_-]{30,300}\\.[A-Za-z0-9_-]{16,80}`)],
  ['nuget-key', 'oy2', rest(`oy2[a-z0-9]{43}(?![A-Za-z0-9])`)],
  ['perplexity-key', 'pplx-', rest(`pplx-${B}{32,80}`)],
  ['groq-key', 'gsk_', rest(`gsk_${B}{40,80}`)],
  ['xai-key', 'xai-', rest(`xai-(?=[A-Za-z0-9]{0,100}\\d)${B}{60,120}`)],
  ['replicate-token', 'r8_', rest(`r8_${B}{30,60}`)],
  ['fireworks-key', 'fw_', rest(`fw_(?=[A-Za-z]{0,100}\\d)${B}{22,40}`)],
  ['langsmith-key', 'lsv2_pt_ lsv2_sk_', rest(`lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}`)],
  ['tavily-key', 'tvly-', rest(`tvly-${S}{20,60}`)],
  ['e2b-key', 'e2b_', rest(`e2b_${H}{40}(?![A-Za-z0-9])`)],
  ['pinecone-key', 'pcsk_', rest(`pcsk_[A-Za-z0-9_]{40,100}`)],
  ['cerebras-key', 'csk-', rest(`csk-[a-z0-9]{40,60}`)],
  ['nvidia-key', 'nvapi-', rest(`nvapi-${S}{50,90}`)],
  ['jina-key', 'jina_', rest(`jina_${S}{40,90}`)],
  ['firecrawl-key', 'fc-', rest(`fc-${H}{32}(?![A-Za-z0-9])`)],
  [
    'plaid-token',
    'access-sandbox- access-production- access-development-',
    rest(`access-(?:sandbox|production|development)-[a-f0-9-]{36}`),
  ],
  ['razorpay-key', 'rzp_live_ rzp_test_', rest(`rzp_(?:live|test)_${B}{14,24}`)],
  ['fly-token', 'fo1_ fm2_ fm1r_ fm1a_', rest(`(?:fo1_${S}{40,60}|fm(?:2|1[ar])_[A-Za-z0-9+/]{60,2000}={0,3})`)],
  ['render-key', 'rnd_', rest(`rnd_(?=[A-Za-z]{0,100}\\d)${B}{24,60}`)],
  ['netlify-token', 'nfp_ nfc_ nfo_ nfb_', rest(`nf[pcob]_${B}{30,60}`)],
  ['neon-key', 'napi_', rest(`napi_[a-z0-9]{40,80}`)],
  ['axiom-token', 'xaat- xapt-', rest(`xa[ap]t-[a-f0-9-]{36}`)],
  ['honeycomb-key', 'hcaik_ hcamk_ hcalk_ hcaic_', rest(`hca[iml][kc]_[a-z0-9]{26,70}`)],
  ['sourcegraph-token', 'sgp_ slk_ sgd_', rest(`(?:sgp_(?:(?:local|[a-f0-9]{16})_)?|slk_|sgd_)[a-f0-9]{40,64}`)],
  ['sonar-token', 'sqp_ squ_ sqa_', rest(`sq[pua]_[a-z0-9]{40}`)],
  ['tailscale-key', 'tskey-', rest(`tskey-[a-z]+-[A-Za-z0-9_-]{16,80}`)],
  [
    'onepassword-token',
    'ops_eyJ A3-',
    rest(
      `(?:ops_eyJ[A-Za-z0-9+/=_-]{100,2000}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})`,
    ),
  ],
  ['octopus-key', 'API-', rest(`API-(?=[A-Z]{0,100}\\d)[A-Z0-9]{25,32}(?![A-Za-z0-9])`)],
  ['openshift-token', 'sha256~', rest(`sha256~[\\w-]{43}`)],
  ['scalingo-token', 'tk-us-', rest(`tk-us-[A-Za-z0-9_-]{48}`)],
  ['settlemint-token', 'sm_aat_ sm_pat_ sm_sat_', rest(`sm_[aps]at_${B}{16,40}`)],
  ['twitter-token', 'AAAAAAAAAAAAAAAAAAAAA', rest(`A{21,24}(?=[A-Za-z0-9%]{0,100}\\d)[A-Za-z0-9%]{60,120}`)],
  ['wakatime-key', 'waka_', rest(`waka_(?:tok_)?[A-Za-z0-9-]{36,80}`)],
  ['zuplo-key', 'zpka_', rest(`zpka_[a-z0-9]{32}_[a-f0-9]{8}`)],
  ['polar-token', 'polar_oat_ polar_pat_', rest(`polar_[op]at_${B}{30,60}`)],
  [
    'twilio-key',
    'SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf',
    rest(`SK[a-f0-9]{32}(?![A-Za-z0-9])`),
  ],
  [
    'discord-token',
    'MT NT ND MD OT OD Nz Mz MQ',
    rest(`[MNO][A-Za-z0-9_-]{22,27}\\.[A-Za-z0-9_-]{6}\\.[A-Za-z0-9_-]{27,40}`),
  ],
  ['grafana-key', 'eyJrIjoi', rest(`eyJrIjoi[A-Za-z0-9+/]{40,400}={0,3}`)],
  ['gcp-hmac-key', 'GOOG1E GOOG', rest(`GOOG(?:1E)?[A-Z0-9]{18,60}(?![A-Za-z0-9])`)],
  ['dropbox-token', 'sl.', rest(`sl\\.(?:u\\.)?[A-Za-z0-9_-]{100,2000}`)],
  ['maxmind-key', 'mmk_', rest(`mmk_${S}{20,40}`)],
  ['apify-token', 'apify_api_', rest(`apify_api_${B}{30,50}`)],
  ['docker-swarm-token', 'SWMTKN-', rest(`SWMTKN-\\d-[a-z0-9]{40,60}-[a-z0-9]{20,30}`)],
  ['lokalise-token', 'ltm_', rest(`ltm_(?=[A-Za-z]{0,40}\\d)${B}{36,48}`)],
  ['aws-session-token', 'FwoGZXIvYXdz IQoJb3JpZ2lu', rest(`(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/]{60,2000}={0,2}`)],
  ['posthog-key', 'phx_ phs_', rest(`ph[xs]_${B}{30,60}`)],
  ['trigger-key', 'tr_dev_ tr_prod_ tr_stg_', rest(`tr_(?:dev|prod|stg)_${B}{18,60}`)],
  ['hubspot-token', 'pat-na1- pat-eu1- pat-na2-', rest(`pat-(?:na|eu)\\d-[a-f0-9-]{36}`)],
  ['brevo-key', 'ddapi_ ddp_', rest(`dd(?:api|p)_${B}{30,60}`)],
  [
    'lob-key',
    'live_pub_ live_ test_',
    rest(`(?:live|test)_(?:pub_)?(?=[a-zA-Z]{0,100}\\d)[a-f0-9]{31,40}(?![A-Za-z0-9])`),
  ],
  ['gocardless-token', 'live_', rest(`live_(?=[A-Za-z_-]{0,100}\\d)(?=[^A-Z]{0,100}[A-Z])${S}{40}(?![A-Za-z0-9])`)],
  ['snyk-token', 'snyk_', rest(`snyk_[a-z]{2,4}\\.[A-Za-z0-9_.-]{30,400}`)],
  ['cargo-token', 'cio', rest(`cio${B}{32}(?![A-Za-z0-9])`)],
  ['nightfall-key', 'NF-', rest(`NF-${B}{32}(?![A-Za-z0-9])`)],
  ['paystack-key', 'sk_live_ sk_test_', rest(`sk_(?:live|test)_${B}{16,80}`)],
  ['zapier-webhook', 'hooks.zapier.com/hooks/catch/', rest(`hooks\\.zapier\\.com/hooks/catch/[\\w/-]{8,80}`)],
]

/** The longest part of a JSON web token. */
const MAX_PART = 16_384

/** Webhook addresses are secrets from a place on. */
const ADDRESSES: readonly (readonly [rule: string, mark: string, secret: RegExp])[] = [
  ['slack-webhook', 'hooks.slack.com/', /(?:services|workflows|triggers)\/([A-Za-z0-9/_+-]{20,255})/y],
  ['discord-webhook', '/api/webhooks/', /(\d{10,22}\/[\w-]{20,120})/y],
  ['teams-webhook', 'webhook.office.com/webhookb2/', /([\w@./-]{20,400})/y],
  ['google-chat-webhook', 'chat.googleapis.com/v1/spaces/', /([\w/?=&%-]{20,400})/y],
  ['telegram-token', 'api.telegram.org/bot', /(\d{6,12}:[\w-]{30,50})/y],
]

/** Marks with the secret in front of them: what it consists of, its least and greatest length there, and what follows. */
const TAILS: readonly (readonly [
  rule: string,
  mark: string,
  of: RegExp,
  least: number,
  most: number,
  behind: RegExp,
])[] = [
  ['telegram-token', ':AA', /\d/, 8, 12, /:AA[\w-]{30,40}/y],
  ['mailchimp-key', '-us', /[a-f0-9]/, 32, 32, /-us\d{1,2}(?![A-Za-z0-9])/y],
  ['terraform-token', '.atlasv1.', /[A-Za-z0-9]/, 10, 20, /\.atlasv1\.[A-Za-z0-9_=-]{40,90}/y],
  ['azure-client-secret', 'Q~', /[A-Za-z0-9_~.-]/, 4, 4, /(?<=\d)Q~[\w~.-]{31,40}/y],
  ['azure-storage-key', '+ASt', /[A-Za-z0-9/+]/, 60, 100, /\+ASt[A-Za-z0-9+/]{4,20}={0,2}/y],
  ['azure-cosmos-key', 'ACDb', /[A-Za-z0-9/+]/, 60, 100, /ACDb[A-Za-z0-9+/]{4,20}={0,2}/y],
  ['azure-devops-token', 'AZDO', /[A-Za-z0-9]/, 60, 100, /AZDO[A-Za-z0-9]{4,10}/y],
  ['azure-registry-key', '+ACR', /[A-Za-z0-9/+]/, 40, 60, /\+ACR[A-Za-z0-9+/]{4,12}={0,2}/y],
  ['azure-function-key', 'AzFu', /[A-Za-z0-9_-]/, 30, 60, /AzFu[A-Za-z0-9_-]{4,14}={0,2}/y],
  ['azure-search-key', 'AzSe', /[A-Za-z0-9]/, 30, 60, /AzSe[A-Za-z0-9]{4,14}/y],
]

const detectPrefixed =
  (rule: string, pattern: RegExp): Detector =>
  (source, start) => {
    const { text } = source
    if (!startsToken(text, start)) return undefined
    source.looks += 1
    pattern.lastIndex = start
    if (!pattern.test(text)) return undefined
    return { rule, start, end: pattern.lastIndex }
  }

const detectAddress =
  (rule: string, pattern: RegExp): Detector =>
  ({ text }, _start, end) => {
    pattern.lastIndex = end
    const found = pattern.exec(text)
    return found === null
      ? undefined
      : { rule, start: pattern.lastIndex - (found[1] ?? '').length, end: pattern.lastIndex }
  }

const detectTailed = (rule: string, of: RegExp, least: number, most: number, behind: RegExp): Detector => {
  const belongs = Uint8Array.from({ length: 128 }, (_, code) => (of.test(String.fromCharCode(code)) ? 1 : 0))
  return (source, start) => {
    const { text, floor } = source
    let from = start
    source.looks += 1
    while (from > floor && start - from < most && belongs[text.charCodeAt(from - 1)] === 1) from--
    if (start - from < least || !startsToken(text, from)) return undefined
    behind.lastIndex = start
    return behind.test(text) ? { rule, start: from, end: behind.lastIndex } : undefined
  }
}

const segmentEnd = (text: string, start: number, end: number): number => {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (!isNameCode(code) || code === 46) return index
  }
  return -1
}

/** Header, payload and signature, or the five parts of an encrypted one. */
function detectJwt(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!startsToken(text, start)) return undefined
  let at = end
  let parts = 0
  for (; parts < 5; parts++) {
    const stop = runEnd(
      source,
      at,
      Math.min(text.length, at + MAX_PART),
      (from, to) => segmentEnd(text, from, to),
      segmentEnd,
    )
    if (parts < 2 && stop - at < 6) return undefined
    at = stop
    if (text.charCodeAt(at) !== 46 || parts === 4) break
    at++
  }
  return parts < 2 ? undefined : { rule: 'jwt', start, end: at }
}

const railsEnd = (text: string, start: number, end: number): number => {
  const at = text.slice(start, end).search(/[^A-Za-z0-9+/%=]/)
  return at === -1 ? -1 : start + at
}

/** A signed cookie of Rails: up to a thousand characters, and only then what tells it. */
function detectRailsCookie(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!startsToken(text, start) || text.slice(start, end) !== 'BAh7') return undefined
  source.looks += 1
  const limit = Math.min(text.length, end + 1_001)
  const stop = runEnd(source, end, limit, (from, to) => railsEnd(text, from, to), railsEnd)
  if (stop - end < 40 || stop - end > 1_000) return undefined
  const signature = /^--[a-f0-9]{40,64}/.exec(text.slice(stop, stop + 66))?.[0]
  return signature === undefined ? undefined : { rule: 'rails-key', start, end: stop + signature.length }
}

/** Every mark, lower-cased where the automaton does so itself, with its detector. */
export const PROVIDER_RULES: readonly (readonly [mark: string, detect: Detector])[] = [
  ...ROWS.flatMap(([rule, marks, pattern]) => {
    const detect = detectPrefixed(rule, pattern)
    return marks.split(' ').map((mark) => [mark, detect] as const)
  }),
  ...ADDRESSES.map(([rule, mark, pattern]) => [mark, detectAddress(rule, pattern)] as const),
  ...TAILS.map(([rule, mark, of, least, most, behind]) => [mark, detectTailed(rule, of, least, most, behind)] as const),
  ['eyJ', detectJwt],
  ['BAh7', detectRailsCookie],
]
