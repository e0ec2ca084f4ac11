/** Texts with a secret in them: families of secrets, each in thirty forms. Written apart from the rules. */
import { BASE62, createRandom, DIGITS, HEX, LOWER, type Random, UPPER } from './random.js'

export interface Positive {
  family: string
  form: string
  kind: 'named' | 'provider' | 'other'
  text: string
  secret: string
}

const URL64 = `${BASE62}-_`
const token = (random: Random, alphabet: string, length: number): string => {
  // A token of random characters has a digit and a letter, as good as always.
  const made = random.chars(alphabet, length)
  return /\d/.test(made) && /[a-zA-Z]/.test(made) ? made : token(random, alphabet, length)
}

const NAMES = `DB_PASSWORD POSTGRES_PASSWORD MYSQL_ROOT_PASSWORD REDIS_PASSWORD password passwd db.password userPassword
  admin-password SMTP_PASS PGPASSWORD MYSQL_PWD passphrase spring.datasource.password ftp_passwd dbPwd
  api_key apiKey API_KEY x-api-key OPENWEATHER_API_KEY apikey service.apikey stripeApiKey
  secret client_secret clientSecret APP_SECRET jwt_secret SESSION_SECRET SECRET_KEY_BASE AWS_SECRET_ACCESS_KEY webhook_secret
  token access_token refreshToken GITHUB_TOKEN auth_token authToken id_token bot-token NPM_AUTH_TOKEN csrf_token x-vault-token
  private_key encryption_key signingKey MASTER_KEY access_key secretKey storage.account.key
  credentials DOCKER_AUTH_TOKEN identitytoken service_credential ROOT_PASSWORD kafka.sasl.password LDAP_BIND_PASSWORD
  keystorePassword sslKeyPassword vault_token SENTRY_AUTH_TOKEN consumerSecret bindPassword`.split(/\s+/)

const VALUES: readonly ((random: Random) => string)[] = [
  (random) => token(random, BASE62, 24),
  (random) => token(random, URL64, 40).replace(/^-/, 'x').replace(/[-_]$/, 'z'),
  (random) => `${random.pick(['Hunter', 'Winter', 'Tr0ub4dor', 'qwerty', 'S3cure'])}${random.chars(DIGITS, 4)}!`,
  (random) => token(random, HEX, 32),
  (random) => `${token(random, BASE62, 21)}+/${token(random, BASE62, 20)}=`,
]

/** Thirty ways in which a name and its value are written. */
const NAMED_FORMS: Record<string, (name: string, value: string, random: Random) => string> = {
  env: (name, value) => `${name}=${value}`,
  export: (name, value) => `export ${name}=${value}`,
  'env quoted': (name, value) => `${name}="${value}"`,
  'single quotes': (name, value) => `${name}='${value}'`,
  'env among others': (name, value) => `HOME=/root ${name}=${value} LANG=C`,
  json: (name, value) => `{"user":"app","${name}":"${value}","port":5432}`,
  'json with blanks': (name, value) => `  "${name}": "${value}",`,
  'json in json': (name, value) => `{"log":"{\\"${name}\\":\\"${value}\\",\\"n\\":1}\\n"}`,
  'json in json in json': (name, value) => `"{\\\\\\"${name}\\\\\\":\\\\\\"${value}\\\\\\"}"`,
  yaml: (name, value) => `${name}: ${value}`,
  'yaml nested': (name, value) => `    ${name}: "${value}"`,
  'yaml pair': (name, value) => `  - name: ${name}\n    value: ${value}\n`,
  'json pair': (name, value) => `{"name":"${name}","value":"${value}"}`,
  ini: (name, value) => `${name} = ${value}`,
  query: (name, value) => `GET /login?user=a&${name}=${encodeURIComponent(value)}&page=2 HTTP/1.1`,
  'query first': (name, value) => `https://api.example.com/v1/x?${name}=${encodeURIComponent(value)}`,
  encoded: (name, value) => `redirect=%2Fcb%3F${name}%3D${encodeURIComponent(value)}%26x%3D1`,
  'log line': (name, value) => `2024-03-01T10:11:12Z INFO connecting with ${name}=${value} host=db`,
  'log line with colon': (name, value) => `[worker-3] debug: using ${name}: ${value}`,
  colour: (name, value) => `\x1b[36m${name}\x1b[0m=\x1b[33m${value}\x1b[0m`,
  'colour around': (name, value) => `\x1b[1;31m${name}=${value}\x1b[0m done`,
  'escaped lines': (name, value) => `env: A=1\\n${name}=${value}\\nB=2`,
  flag: (name, value) => `$ deploy --${name.replaceAll(/[._]/g, '-')} ${value} --verbose`,
  'flag with =': (name, value) => `$ deploy --${name.replaceAll(/[._]/g, '-')}=${value} --verbose`,
  'docker -e': (name, value) => `docker run -e ${name}=${value} --rm app:1.2`,
  xml: (name, value) => `<${name}>${value}</${name}>`,
  'xml attribute': (name, value) => `<add key="${name}" value="${value}"/>`,
  python: (name, value) => `{'host': 'x', '${name}': '${value}'}`,
  ruby: (name, value) => `:${name} => "${value}"`,
  'connection string': (name, value) => `Server=db;User Id=sa;${name}=${value};Encrypt=true`,
  'dockerfile ENV': (name, value) => `ENV ${name} ${value}`,
}

const PROVIDERS: Record<string, (random: Random) => string> = {
  'aws access key': (r) => `${r.pick(['AKIA', 'ASIA'])}${r.chars('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}`,
  'github classic': (r) => `${r.pick(['ghp', 'gho', 'ghu', 'ghs', 'ghr'])}_${r.chars(BASE62, 36)}`,
  'github fine': (r) => `github_pat_${r.chars(BASE62, 22)}_${r.chars(BASE62, 59)}`,
  'gitlab pat': (r) => `glpat-${r.chars(BASE62, 20)}`,
  'gitlab runner': (r) => `glrt-${r.chars(URL64, 20)}`,
  'gitlab deploy': (r) => `gldt-${r.chars(BASE62, 20)}`,
  'slack bot': (r) => `xoxb-${r.chars(DIGITS, 12)}-${r.chars(DIGITS, 12)}-${r.chars(BASE62, 24)}`,
  'slack user': (r) => `xoxp-${r.chars(DIGITS, 11)}-${r.chars(DIGITS, 11)}-${r.chars(DIGITS, 12)}-${r.chars(HEX, 32)}`,
  'slack app': (r) => `xapp-1-A${r.chars(UPPER + DIGITS, 10)}-${r.chars(DIGITS, 13)}-${r.chars(HEX, 64)}`,
  'slack webhook': (r) =>
    `https://hooks.slack.com/services/T${r.chars(UPPER + DIGITS, 8)}/B${r.chars(UPPER + DIGITS, 10)}/${r.chars(BASE62, 24)}`,
  'openai old': (r) => `sk-${token(r, BASE62, 20)}T3BlbkFJ${r.chars(BASE62, 20)}`,
  'openai project': (r) => `sk-proj-${token(r, BASE62, 74)}T3BlbkFJ${r.chars(URL64, 73)}a`,
  anthropic: (r) => `sk-ant-api03-${r.chars(URL64, 93)}AA`,
  openrouter: (r) => `sk-or-v1-${r.chars(HEX, 64)}`,
  'stripe live': (r) => `sk_live_${r.chars(BASE62, 24)}`,
  'stripe restricted': (r) => `rk_test_${r.chars(BASE62, 99)}`,
  'stripe webhook': (r) => `whsec_${r.chars(BASE62, 32)}`,
  'google api': (r) => `AIza${r.chars(URL64, 34)}a`,
  'google oauth': (r) => `ya29.a0${r.chars(URL64, 120)}x`,
  'google secret': (r) => `GOCSPX-${r.chars(URL64, 27)}q`,
  npm: (r) => `npm_${r.chars(BASE62, 36)}`,
  pypi: (r) => `pypi-AgEIcHlwaS5vcmc${r.chars(URL64, 80)}x`,
  docker: (r) => `dckr_pat_${r.chars(URL64, 26)}x`,
  huggingface: (r) => `hf_${r.chars(LOWER + UPPER, 34)}`,
  sendgrid: (r) => `SG.${r.chars(URL64, 21)}a.${r.chars(URL64, 42)}b`,
  mailgun: (r) => `key-${r.chars(HEX, 32)}`,
  mailchimp: (r) => `${r.chars(HEX, 32)}-us${1 + r.below(20)}`,
  sendinblue: (r) => `xkeysib-${r.chars(HEX, 64)}-${r.chars(BASE62, 16)}`,
  twilio: (r) => `SK${r.chars(HEX, 32)}`,
  vault: (r) => `hvs.${r.chars(URL64, 90)}x`,
  digitalocean: (r) => `dop_v1_${r.chars(HEX, 64)}`,
  doppler: (r) => `dp.pt.${r.chars(BASE62, 43)}`,
  shopify: (r) => `shpat_${r.chars(HEX, 32)}`,
  square: (r) => `sq0atp-${r.chars(URL64, 21)}a`,
  databricks: (r) => `dapi${r.chars(HEX, 32)}`,
  linear: (r) => `lin_api_${r.chars(BASE62, 40)}`,
  notion: (r) => `ntn_${r.chars(DIGITS, 11)}${r.chars(BASE62, 35)}`,
  figma: (r) => `figd_${r.chars(URL64, 39)}a`,
  postman: (r) => `PMAK-${r.chars(HEX, 24)}-${r.chars(HEX, 34)}`,
  'new relic': (r) => `NRAK-${r.chars(UPPER + DIGITS, 27)}`,
  grafana: (r) => `glsa_${r.chars(BASE62, 32)}_${r.chars(HEX, 8)}`,
  'grafana cloud': (r) => `glc_${r.chars(BASE62, 60)}=`,
  pulumi: (r) => `pul-${r.chars(HEX, 40)}`,
  planetscale: (r) => `pscale_tkn_${r.chars(BASE62, 43)}`,
  prefect: (r) => `pnu_${r.chars(LOWER + DIGITS, 36)}`,
  rubygems: (r) => `rubygems_${r.chars(HEX, 48)}`,
  sentry: (r) => `sntryu_${r.chars(HEX, 64)}`,
  supabase: (r) => `sbp_${r.chars(HEX, 40)}`,
  typeform: (r) => `tfp_${r.chars(BASE62, 44)}_${r.chars(BASE62, 12)}`,
  age: (r) => `AGE-SECRET-KEY-1${r.chars('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}`,
  airtable: (r) => `pat${r.chars(BASE62, 14)}.${r.chars(HEX, 64)}`,
  alibaba: (r) => `LTAI${r.chars(BASE62, 20)}`,
  atlassian: (r) => `ATATT3xFfGF0${r.chars(URL64, 170)}=${r.chars('0123456789ABCDEF', 8)}`,
  bitbucket: (r) => `ATBB${r.chars(BASE62, 28)}`,
  circleci: (r) => `CCIPAT_${r.chars(BASE62, 22)}_${r.chars(HEX, 40)}`,
  contentful: (r) => `CFPAT-${r.chars(URL64, 42)}a`,
  dynatrace: (r) => `dt0c01.${r.chars(UPPER + DIGITS, 24)}.${r.chars(UPPER + DIGITS, 64)}`,
  easypost: (r) => `EZAK${r.chars(BASE62, 54)}`,
  jwt: (r) => `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx${r.chars(BASE62, 40)}.${r.chars(URL64, 42)}x`,
  mapbox: (r) => `sk.eyJ1Ijoi${r.chars(BASE62, 60)}.${r.chars(BASE62, 22)}`,
  perplexity: (r) => `pplx-${r.chars(BASE62, 48)}`,
  groq: (r) => `gsk_${r.chars(BASE62, 52)}`,
  xai: (r) => `xai-${token(r, BASE62, 80)}`,
  replicate: (r) => `r8_${r.chars(BASE62, 37)}`,
  langsmith: (r) => `lsv2_pt_${r.chars(HEX, 32)}_${r.chars(HEX, 10)}`,
  pinecone: (r) => `pcsk_${r.chars(BASE62, 6)}_${r.chars(BASE62, 60)}`,
  nvidia: (r) => `nvapi-${r.chars(URL64, 63)}a`,
  resend: (r) => `re_${token(r, BASE62, 7)}A_${r.chars(BASE62, 24)}`,
  plaid: (r) =>
    `access-sandbox-${r.chars(HEX, 8)}-${r.chars(HEX, 4)}-${r.chars(HEX, 4)}-${r.chars(HEX, 4)}-${r.chars(HEX, 12)}`,
  netlify: (r) => `nfp_${r.chars(BASE62, 36)}`,
  sonar: (r) => `sqp_${r.chars(HEX, 40)}`,
  tailscale: (r) => `tskey-auth-k${r.chars(BASE62, 10)}-${r.chars(BASE62, 32)}`,
  telegram: (r) => `${1 + r.below(9)}${r.chars(DIGITS, 9)}:AA${r.chars(URL64, 32)}x`,
  discord: (r) => `MT${r.chars(BASE62, 24)}.${r.chars(BASE62, 6)}.${r.chars(URL64, 37)}x`,
  'terraform cloud': (r) => `${r.chars(BASE62, 14)}.atlasv1.${r.chars(BASE62, 67)}`,
  'azure client': (r) => `${r.chars(BASE62, 3)}8Q~${r.chars(BASE62, 34)}`,
  octopus: (r) => `API-${token(r, UPPER + DIGITS, 26).toUpperCase()}`,
  openshift: (r) => `sha256~${r.chars(URL64, 42)}x`,
  duffel: (r) => `duffel_live_${r.chars(BASE62, 43)}`,
  flutterwave: (r) => `FLWSECK_TEST-${r.chars(HEX, 32)}-X`,
  adafruit: (r) => `aio_${r.chars(BASE62, 28)}`,
  nuget: (r) => `oy2${r.chars(LOWER + DIGITS, 43)}`,
}

const PROVIDER_FORMS: Record<string, (value: string) => string> = {
  alone: (value) => value,
  'in a sentence': (value) => `we saw ${value} in the output`,
  'with a full stop': (value) => `the value was ${value}.`,
  quoted: (value) => `"${value}"`,
  'single quotes': (value) => `['${value}']`,
  backticks: (value) => `use \`${value}\` here`,
  brackets: (value) => `(${value})`,
  angle: (value) => `<${value}>`,
  comma: (value) => `a,${value},b`,
  semicolon: (value) => `x;${value};y`,
  equals: (value) => `x=${value}`,
  colon: (value) => `x:${value}`,
  'json list': (value) => `["a","${value}","b"]`,
  'json member': (value) => `{"x":"${value}"}`,
  'json in json': (value) => `{"log":"{\\"x\\":\\"${value}\\"}"}`,
  'escaped line': (value) => `a\\n${value}\\nb`,
  'escaped tab': (value) => `a\\t${value}\\tb`,
  colour: (value) => `\x1b[32m${value}\x1b[0m`,
  'bold colour': (value) => `\x1b[1;38;5;208m${value}\x1b[0m`,
  'escaped colour': (value) => `\\u001b[32m${value}\\u001b[0m`,
  'encoded =': (value) => `x%3D${value}%26y`,
  'query value': (value) => `https://example.com/?x=${value}&y=1`,
  path: (value) => `https://example.com/${value}/x`,
  'log line': (value) => `2024-03-01 10:00:00 ERROR request failed: ${value}`,
  'second line': (value) => `first\n${value}\nthird`,
  crlf: (value) => `first\r\n${value}\r\n`,
  'tab separated': (value) => `a\t${value}\tb`,
  table: (value) => `| x | ${value} |`,
  header: (value) => `X-Thing: ${value}`,
  echo: (value) => `echo ${value} | tee out`,
}

const OTHERS: Record<string, (random: Random, secret: string) => string> = {
  'postgres url': (_r, s) => `postgres://app:${s}@db.internal:5432/app?sslmode=disable`,
  'redis url': (_r, s) => `redis://:${s}@cache:6379/0`,
  'mongo url': (_r, s) => `mongodb+srv://root:${s}@cluster0.abc.mongodb.net/test`,
  'amqp url': (_r, s) => `connecting to amqp://guest:${s}@mq:5672/%2F failed`,
  'https url': (_r, s) => `git clone https://bob:${s}@git.example.com/r.git`,
  'ftp url': (_r, s) => `ftp://u:${s}@ftp.example.com/x`,
  'encoded url': (_r, s) => `DSN=postgres%3A%2F%2Fapp%3A${s}%40db%3A5432`,
  'escaped url': (_r, s) => `{"u":"mysql:\\/\\/app:${s}@db\\/x"}`,
  'go dsn': (_r, s) => `dsn: app:${s}@tcp(127.0.0.1:3306)/app`,
  bearer: (_r, s) => `Authorization: Bearer ${s}`,
  'bearer in curl': (_r, s) => `curl -H "Authorization: Bearer ${s}" https://x.example`,
  basic: (_r, s) => `authorization: Basic ${Buffer.from(`u:${s}`).toString('base64')}`,
  'token scheme': (_r, s) => `Authorization: token ${s}`,
  'header json': (_r, s) => `{"headers":{"authorization":"Bearer ${s}"}}`,
  'digest scheme': (_r, s) => `Authorization: Digest username="u", realm="r", response="${s}"`,
  cookie: (_r, s) => `Cookie: theme=dark; session=${s}`,
  'set-cookie': (_r, s) => `set-cookie: sid=${s}; Path=/; HttpOnly`,
  'registry auth': (_r, s) => `X-Registry-Auth: ${Buffer.from(s).toString('base64')}`,
  'docker config': (_r, s) => `{"auths":{"r.io":{"auth":"${Buffer.from(`u:${s}`).toString('base64')}"}}}`,
  'mysql -p': (_r, s) => `mysql -u root -p${s} -h db app`,
  'mysql --password': (_r, s) => `mysqldump --password=${s} app`,
  'curl -u': (_r, s) => `curl -s -u admin:${s} https://x.example/api`,
  'docker login': (_r, s) => `docker login -u me -p ${s} registry.example.com`,
  pgpassword: (_r, s) => `PGPASSWORD=${s} psql -h db`,
  sshpass: (_r, s) => `sshpass -p ${s} ssh root@host`,
  'redis-cli': (_r, s) => `redis-cli -h x -a ${s} ping`,
  netrc: (_r, s) => `machine api.example.com login me password ${s}`,
  npmrc: (_r, s) => `//registry.npmjs.org/:_authToken=${s}`,
  'npmrc password': (_r, s) => `//r.example.com/:_password=${s}`,
  sql: (_r, s) => `CREATE USER 'app'@'%' IDENTIFIED BY '${s}';`,
  'sql alter': (_r, s) => `ALTER ROLE app WITH PASSWORD '${s}'`,
  'connection string': (_r, s) => `Server=tcp:x,1433;Initial Catalog=d;User ID=u;Password=${s};Encrypt=True;`,
  'azure storage': (_r, s) =>
    `DefaultEndpointsProtocol=https;AccountName=x;AccountKey=${s};EndpointSuffix=core.windows.net`,
  jdbc: (_r, s) => `jdbc:postgresql://db:5432/app?user=u&password=${s}`,
  'go map': (_r, s) => `map[password:${s} user:app]`,
  'go struct': (_r, s) => `{User:app Password:${s} Port:5432}`,
  'rust debug': (_r, s) => `Config { password: Some("${s}"), port: 1 }`,
  'php array': (_r, s) => `'password' => '${s}',`,
  plist: (_r, s) => `<key>Password</key><string>${s}</string>`,
  'xml property': (_r, s) => `<property name="connection.password">${s}</property>`,
  'k8s env': (_r, s) => `        - name: DB_PASSWORD\n          value: "${s}"\n`,
  terraform: (_r, s) => `+ master_password = "${s}"`,
  'aws configure': (_r, s) => `aws configure set aws_secret_access_key ${s}`,
  powershell: (_r, s) => `$env:API_TOKEN = "${s}"`,
  fish: (_r, s) => `set -x GITHUB_TOKEN ${s}`,
  'prose is': (_r, s) => `the password is ${s}`,
  'prose quoted': (_r, s) => `logged in with password "${s}"`,
  'api key prose': (_r, s) => `API key: ${s}`,
  'incorrect key': (_r, s) => `Incorrect API key provided: ${s}.`,
  'redis conf': (_r, s) => `requirepass ${s}`,
  'helm set': (_r, s) => `helm install x --set auth.password=${s},replicas=2`,
  'compose log': (_r, s) => `db_1  | ALTER_PASSWORD: ${s}`,
  'argv json': (_r, s) => `"Cmd":["server","--password","${s}"]`,
  pem: (r, s) =>
    `-----BEGIN RSA PRIVATE KEY-----\n${r.chars(BASE62, 64)}\n${s}${r.chars(BASE62, 30)}\n-----END RSA PRIVATE KEY-----`,
  'pem cut': (r, s) => `-----BEGIN PRIVATE KEY-----\n${r.chars(BASE62, 64)}\n${s}${r.chars(BASE62, 40)}`,
  'pem prefixed': (r, s) =>
    `app_1 | -----BEGIN EC PRIVATE KEY-----\napp_1 | ${r.chars(BASE62, 64)}\napp_1 | ${s}${r.chars(BASE62, 40)}\napp_1 | -----END EC PRIVATE KEY-----`,
  'pem escaped': (r, s) =>
    `{"k":"-----BEGIN PRIVATE KEY-----\\n${r.chars(BASE62, 64)}\\n${s}${r.chars(BASE62, 40)}\\n-----END PRIVATE KEY-----\\n"}`,
  bcrypt: (r) => `root:$2b$12$${r.chars(BASE62, 53)}:x`,
}

/** Every case of the corpus; `count` of each family and form. */
export function positives(seed: number): Positive[] {
  const random = createRandom(seed)
  const cases: Positive[] = []
  for (const name of NAMES) {
    for (const [form, write] of Object.entries(NAMED_FORMS)) {
      const value = random.pick(VALUES)(random)
      const text = write(name, value, random)
      const secret = text.includes(value) ? value : encodeURIComponent(value)
      cases.push({ family: name, form, kind: 'named', text, secret })
    }
  }
  for (const [family, make] of Object.entries(PROVIDERS)) {
    for (const [form, write] of Object.entries(PROVIDER_FORMS)) {
      const value = make(random)
      const secret = family === 'slack webhook' ? value.slice(-24) : value
      cases.push({ family, form, kind: 'provider', text: write(value), secret })
    }
  }
  for (const [family, write] of Object.entries(OTHERS)) {
    for (let round = 0; round < 30; round++) {
      const value = token(random, round % 3 === 0 ? HEX : BASE62, 12 + random.below(20))
      const text = write(random, value)
      const encoded = [value, Buffer.from(`u:${value}`).toString('base64'), Buffer.from(value).toString('base64')]
      const secret = encoded.find((form) => text.includes(form)) ?? text.slice(8, -2)
      cases.push({ family, form: family, kind: 'other', text, secret })
    }
  }
  return cases
}
