/** Tokens of observability, errors, analytics and feature flags. */
import type { Format } from './format.js'

export const WATCH: readonly Format[] = [
  ['newrelic-key', 'NRAK- NRJS- NRII- NRRA- NRSP- NRIQ- NRAA- NRBR-', /NR(?:AK|JS|II|RA|SP|IQ|AA|BR)-[\w-]{16,64}/],
  ['grafana-token', 'glsa_ glc_', /glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/_-]{32,400}={0,3}/],
  ['grafana-key', 'eyJrIjoi', /eyJrIjoi[A-Za-z0-9+/]{40,400}={0,3}/],
  ['sentry-token', 'sntrys_ sntryu_ sntrya_ sntryi_', /sntry[suai]_[\w+/=-]{40,400}/],
  ['dynatrace-token', 'dt0c01. dt0s', /dt0[cs]\d\d\.[A-Z0-9-]{8,24}\.[A-Z0-9]{64}/],
  ['warehouse-token', 'dbtc_ dbtu_', /dbt[cu]_(?=[A-Za-z_-]{0,60}\d)[\w-]{30,80}/],
  ['logfire-token', 'pylf_v', /pylf_v\d_(?:[a-z]{2}_)?[A-Za-z0-9]{30,80}/],
  ['axiom-token', 'xaat- xapt- xaut-', /xa[apu]t-[a-f0-9-]{36}/],
  ['honeycomb-key', 'hcaik_ hcamk_ hcalk_ hcaic_ hcxik_ hcxmk_ hcblk_', /hc[a-z](?:ik|mk|lk|ic)_[a-z0-9]{26,70}/],
  ['logicmonitor-token', 'lmb_ lma_', /lm[ab]_[A-Za-z0-9+/=_:-]{40,120}/],
  ['incident-key', 'rootly_', /rootly_[a-f0-9]{64}/],
  ['honeybadger-key', 'hbp_ hbf_', /hb[pf]_(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{30,60}/],
  ['checkly-key', 'cu_', /cu_[a-f0-9]{32}(?![A-Za-z0-9])/],
  ['incident-key', 'inc_', /inc_[a-f0-9]{64}/],
  ['fire-key', 'fhb-', /fhb-[a-f0-9]{32,80}/],
  ['posthog-key', 'phx_ phs_', /ph[xs]_[A-Za-z0-9]{30,60}/],
  ['segment-token', 'sgp_', /sgp_(?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{64}(?![A-Za-z0-9])/],
  [
    'launchdarkly-key',
    'api- sdk- mob- rel- iak-',
    /(?:api|sdk|mob|rel|iak)-[a-f0-9]{8}-[a-f0-9]{4}-[1-5][a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}(?![\w-])/,
  ],
  ['flag-key', 'configcat-sdk-', /configcat-sdk-\d\/[\w-]{22}\/[\w-]{22}/],
  [
    'statsig-key',
    'secret- console-',
    /(?:secret|console)-(?=[A-Za-z]{0,50}\d)(?=[a-z0-9]{0,50}[A-Z])[A-Za-z0-9]{30,60}(?![\w-])/,
  ],
  ['growth-key', 'secret_admin_ secret_readonly_ secret_user_', /secret_(?:admin|readonly|user)_[A-Za-z0-9+/]{30,60}/],
  ['flagsmith-key', 'ser.', /ser\.(?=[A-Za-z]{0,30}\d)[A-Za-z0-9]{20,30}(?![\w.-])/],
]
