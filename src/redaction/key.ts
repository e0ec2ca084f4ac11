/** Decides from a name alone (an environment variable, a JSON key, a label, a flag) what its value may be. */

/**
 * - `password`: every value under it is secret, digits and plain words too;
 * - `secret`: its value is secret unless it plainly says something else (a small number, a state, a scope);
 * - `weak`: only a value that looks random is secret (`sig`, `session`);
 * - `opaque`: so is one in hex, and a UUID (`STRIPE_KEY`, `secret_id`);
 * - `authorization`, `cookie`: headers, whose value is more than one word.
 */
export type KeyKind = 'none' | 'weak' | 'opaque' | 'secret' | 'password' | 'authorization' | 'cookie'

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

const PASSWORDS = set(
  `password passwd passphrase passcode pwd pswd psw pw pass passwort kennwort losungswort sshpass senha wachtwoord parola
  contrasena contrasenya contrasenia motdepasse mdp heslo haslo salasana losenord adgangskode passord jelszo sifre parool
  clavesecreta palavrapasse keyphrase userpass dbpass mypass pin passin passout storepass keypass requirepass masterauth otp totp cvv cvc passwordhash passwordsalt`,
)
const SECRETS = set(
  `secret secrets token apikey apitoken accesskey privatekey secretkey signingkey encryptionkey masterkey authkey
  credential credentials creds authtoken accesstoken identitytoken registrytoken bearer jwt pat psk sessid sessionid
  phpsessid jsessionid sessionkey accountkey webhooksecret connectionpassword appkey appsecret webhookkey dockerconfigjson dockercfg authtok authident keymaterial
  csrfmiddlewaretoken pepper mnemonic sonarlogin validationkey decryptionkey samlresponse setsteamaccount registryconfig`,
)
const WEAK = set(
  'key auth signature sig session salt nonce cred sid seed hmac cookie webhook encrypt csrf xsrf assertion ticket',
)
const PASSWORD_ENDING =
  /(?:password|passwd|passphrase|passwort|pwd|(?:bind|db|root|admin|user|ldap|my)pw|(?<!by|com|tres|sur|over|under|encom|tran|bi)pass|passcode)$/
const SECRET_ENDING = /(?:secret|token|apikey|secretkey|accesskey|privatekey|credentials)$/

/** What stands before `key` in the names of keys that are secrets, and of those that are not. */
const SECRET_KEY_OF = set(
  `api access private secret signing sign encryption encrypt decryption master account license licence shared storage
  deploy service application app auth admin root webhook write server subscription hmac jwt crypto cipher aes des rsa
  wallet preshared recovery backup unseal activation prod live sas connection fcm merchant registry session function
  client developer integration ingest ingestion security token password passwd host_master enc dec machine validation join
  unlock certificate nonce in csrf fernet deterministic consumer enrollment enrolment provisioning management bot device
  tunnel vpn wireguard wg swarm kms kek dek payment billing gateway reporting partner reseller owner agent pairing seed
  symmetric shared_ sealing seal totp mfa otp privacy priv ssh sftp ssl tls pem keystore truststore restore bootstrap`,
)
/** Services of which people say `<its name> key`: what is opaque under it is one. */
const VENDORS = set(
  `stripe twilio sendgrid mailgun mailchimp mandrill postmark sparkpost algolia datadog dd newrelic relic sentry rollbar
  bugsnag pagerduty opsgenie honeycomb grafana loki openai anthropic gemini cohere mistral huggingface replicate pinecone
  azure aws gcp google github gitlab bitbucket slack discord telegram shopify paypal braintree square plaid auth0 okta
  firebase supabase vercel netlify heroku cloudflare fastly digitalocean linode vultr hetzner scaleway ovh npm nuget pypi
  snyk sonar codecov coveralls circleci travis jenkins buildkite terraform vault consul nomad elastic splunk sumo logdna
  loggly papertrail logtail segment mixpanel amplitude intercom zendesk hubspot salesforce trello jira notion airtable asana
  linear figma maxmind mapbox openweather weather maps geocoding places search smtp mail sms payment recaptcha captcha
  turnstile virustotal shodan censys wandb kaggle routing service primary secondary subscription instrumentation`,
)
const OPEN_KEY_OF = set(
  `public pub publishable primary foreign partition sort cache gpg pgp row object s3 idempotency group composite unique
  map registry_ hot arrow any known lookup dedup translation i18n index natural surrogate lock the cert sorting
  config state hash query dict json storage_ event message label ordering shard range attribute column metric`,
)

/** A name that ends in one of these says where, how or how many, not the secret itself. */
const HARMLESS_ENDINGS = set(
  `file files filename path paths dir directory folder url urls uri uris endpoint endpoints link ttl name names id ids
  identifier type types kind length len count counts counter expiry expires expire expiration expired exp policy policies
  enabled disabled enable disable required require version versions method methods mode modes limit limits size sizes
  age hash algorithm algorithms alg algo header headers host hostname hosts port server service services provider
  providers domain realm scope scopes issuer audience user username users email role roles group groups format encoding
  prefix suffix pattern regex regexp validator validation rules rule check checker strength score attempts attempt
  retries retry timeout interval period duration rotation rotated rotate time timestamp at date created updated issued
  used since manager store storage backend plugin module handler factory builder controller middleware filter guard
  interface ref refs reference arn source location mount volume stdin prompt selector ring event events page form field
  fields param params parameter parameters column label placeholder title hint message messages msg description desc
  error errors err exception status state code codes visible hidden js ts jsx tsx mjs py go rb java php rs cpp cs json yml
  yaml txt log md html css conf cfg ini toml sh lock so dll exe kt scala swift sql svg png template schema model table
  index position offset usage total max min avg sum rate cost price bucket pool metrics metric valid invalid changed
  exists present missing available supported needed optional allowed verified requirement requirements complexity history
  generator hasher encoder decoder parser lexer stream config configuration settings setting options option opts context
  namespace package fingerprint thumbprint checksum digest serial curve bits spec env var variable failed failure
  failures success ok result results socket target timer unit operator keyring chain flow cli helper helpers screen view
  button component icon style class classes function callback listener resolver reader writer loader sent received reset
  tokens passwords cookies auths keys sessions keyref readonly binding login logout signup support alias title display
  reuse lifetime validity threshold quota budget weight order priority region zone cookbook book counts
  set_ rounds hashers short long mismatch incorrect ms millis milliseconds list mapping map selectors annotations manifest image tag days hours minutes seconds encryption kid blank`,
)
/** What stands first in the names of counts, bounds and cursors. */
const HARMLESS_STARTS = set(
  `max min num total count number next page continuation pagination continue sync resume public unexpected is has
  should www existing forgot ask`,
)
const CODES = set('verification security backup recovery otp mfa sms')
/** Says how the value is written; what stands before says what it is. */
const TAILS = set(
  `value val raw base64 b64 plain plaintext encoded cleartext prod production staging stage stg dev development testing
  live qa uat preprod primary secondary main old new current previous prev default int`,
)
/** Special tokens of language models: `eos_token`. */
const MODEL_TOKEN = set(
  'bos eos pad unk sep cls mask special stop image vocab per new change cancellation cancel csrftokenname',
)

/** Two words that say together what neither says alone. */
const PAIRS: ReadonlyMap<string, KeyKind> = new Map([
  ['secret id', 'opaque'],
  ['session id', 'weak'],
  ['auth ident', 'secret'],
  ['registry config', 'secret'],
  ['honeycomb team', 'secret'],
  ['sonar login', 'secret'],
  ['code verifier', 'secret'],
  ['device code', 'opaque'],
  ['saml response', 'secret'],
  ['key material', 'secret'],
  ['keys base64', 'secret'],
  ['rediscli auth', 'password'],
  ['neo4j auth', 'password'],
  ['erlang cookie', 'password'],
  ['otp code', 'password'],
  ['github oauth', 'secret'],
  ['gitlab oauth', 'secret'],
  ['bitlocker key', 'secret'],
  ['recovery codes', 'none'],
  ['clave secreta', 'password'],
  ['clave privada', 'secret'],
  ['mot passe', 'password'],
  ['de passe', 'password'],
])

/** Only what looks like a secret is one under such a name. */
export const saysLittle = (kind: KeyKind): boolean => kind === 'weak' || kind === 'opaque'

/** The words of a name, lower-cased: `dbPassword`, `DB_PASSWORD`, `db-password` and `db.password` are the same two. */
function wordsOf(name: string): string[] {
  return (
    name
      // The end of a name says what it is; more of it costs time only.
      .slice(-160)
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .filter(Boolean)
  )
}

/** `password` for `DB_PASSWORD`, `secret` for `apiKey` and `x-registry-auth`, `none` for `TOKEN_URL` and `max_tokens`. */
export function judgeKey(name: string): KeyKind {
  if (name === 'PWD' || name === 'OLDPWD') return 'none' // the shell's working directory
  // A digest that changes when the secret does.
  if (name.startsWith('checksum/')) return 'none'
  const words = wordsOf(name)
  // A number behind a name counts it: PASSWORD2, token_1.
  while (words.length > 1 && /^\d+$/.test(words.at(-1) ?? '')) words.pop()
  let last = (words.at(-1) ?? '').replace(/(?<=[a-z]{3})\d{1,2}$/, '')
  if (last === '') return 'none'
  words[words.length - 1] = last
  while (words.length > 1 && isTail(words.at(-1) ?? '')) words.pop()
  last = words.at(-1) as string
  if (words.length === 1 && last === 'secrets') return 'secret'
  const before = words.at(-2) ?? ''
  if (last === 'hash' && words.some((word) => PASSWORDS.has(word))) return 'secret'
  if (last === 'id' && before === 'token' && words.includes('root')) return 'secret'
  if (last === 'code' && CODES.has(before)) return 'password'
  const pair = words.length > 1 ? PAIRS.get(`${before} ${last}`) : undefined
  if (pair !== undefined) return pair
  // Credentials of a package source: `BUNDLE_GEMS__ACME__COM`.
  if (words[0] === 'bundle' && /^(?:com|org|net|io|dev|co)$/.test(last)) return 'opaque'
  if (last === 'info' && before === 'user' && words.includes('auth')) return 'secret'
  if (words.includes('unseal') && (last === 'keys' || last === 'key')) return 'secret'
  if (last === 'salt' && before !== '') return before === 'salt' ? 'weak' : 'secret'
  // A resource of Terraform.
  if (last === 'result' && words.join(' ').includes('random password')) return 'password'
  if (HARMLESS_ENDINGS.has(last)) return 'none'
  const first = words[0] as string
  if (words.length > 1 && HARMLESS_STARTS.has(first)) return 'none'
  if (last === 'authorization') return 'authorization'
  if (last === 'cookie' && before === 'erlang') return 'secret'
  if (last === 'cookie' && (words.length === 1 || first === 'set')) return 'cookie'
  return judgeWords(words)
}

/** `DB_PASSWORD_PROD`, `token_v2`. */
const isTail = (word: string): boolean => TAILS.has(word) || /^v\d{1,2}$/.test(word)

function judgeWords(words: readonly string[]): KeyKind {
  let kind: KeyKind = 'none'
  for (let index = words.length - 1; index >= 0; index--) {
    const word = words[index] as string
    const isLast = index === words.length - 1
    if (PASSWORDS.has(word) || PASSWORD_ENDING.test(word)) {
      // `pass` and the short ones are words of their own only at the end: `pass_through`, `pin_memory`.
      if (isLast || word.length > 4) return 'password'
      continue
    }
    const before = words[index - 1] ?? ''
    if (word === 'token' && (MODEL_TOKEN.has(before) || !isLast)) {
      continue
    }
    if (SECRETS.has(word) || SECRET_ENDING.test(word)) return 'secret'
    if (word === 'key') {
      if (isLast && VENDORS.has(before)) return 'opaque'
      if (OPEN_KEY_OF.has(before)) return 'none'
      if (SECRET_KEY_OF.has(before)) return 'secret'
    }
    if (word === 'auth' && isLast && (before === 'registry' || before === 'basic')) return 'secret'
    if (isLast && WEAK.has(word)) kind = 'weak'
  }
  return kind
}

/** True when a string under this key must not leave, whatever it says. */
export function isSecretKey(key: string): boolean {
  const kind = judgeKey(key)
  return kind !== 'none' && !saysLittle(kind)
}
