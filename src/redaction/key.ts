/** Decides from a name alone (an environment variable, a JSON key, a label) whether its value is a secret. */

const SECRET_WORDS = new Set([
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'pass',
  'secret',
  'secrets',
  'token',
  'apikey',
  'credential',
  'credentials',
  'authorization',
  'cookie',
  'privatekey',
  'accesskey',
  'secretkey',
  'signingkey',
  'identitytoken',
  'registrytoken',
  'auth',
  'bearer',
  'pat',
  'jwt',
  'otp',
  'sshpass',
])
/** Names are also written without a break: PGPASSWORD, authtoken. */
const SECRET_ENDING = /(?:password|passwd|passphrase|secret|token|apikey)$/
const SECRET_PAIRS = new Set([
  'api key',
  'access key',
  'private key',
  'secret key',
  'signing key',
  'encryption key',
  'master key',
  'account key',
  'session key',
  'license key',
  'registry auth',
  'set cookie',
])
/** A name that ends in one of these says where or how, not the secret itself. */
const HARMLESS_ENDINGS = new Set([
  'file',
  'path',
  'dir',
  'url',
  'uri',
  'endpoint',
  'ttl',
  'name',
  'id',
  'type',
  'length',
  'count',
  'expiry',
  'expires',
  'policy',
  'enabled',
  'required',
  'version',
  'method',
  'mode',
  'limit',
  'size',
  'age',
  'hash',
  'algorithm',
  'header',
])

/** True when the value under this key must not leave. `DB_PASSWORD`, `apiKey`, `x-registry-auth`; not `TOKEN_URL`, `max_tokens`. */
export function isSecretKey(key: string): boolean {
  if (key === 'PWD') return false // the shell's working directory
  // The end of a name says what it is; more of it costs time only.
  const words = key
    .slice(-200)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean)
  const last = words.at(-1)
  if (last === undefined || HARMLESS_ENDINGS.has(last)) return false
  return words.some(
    (word, index) =>
      SECRET_WORDS.has(word) || SECRET_ENDING.test(word) || SECRET_PAIRS.has(`${word} ${words[index + 1] ?? ''}`),
  )
}
