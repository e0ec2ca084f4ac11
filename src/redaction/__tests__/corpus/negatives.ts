/** Harmless texts that look a little like secrets, by category. Written apart from the rules. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of other languages
import { MACHINE_CATEGORIES, word } from './machine-negatives.js'
import { BASE62, createRandom, DIGITS, HEX, LOWER, type Random } from './random.js'

export interface Negative {
  category: string
  text: string
}

const uuid = (r: Random): string =>
  `${r.chars(HEX, 8)}-${r.chars(HEX, 4)}-4${r.chars(HEX, 3)}-a${r.chars(HEX, 3)}-${r.chars(HEX, 12)}`

const CATEGORIES: Record<string, (random: Random) => string> = {
  prose: (r) =>
    r.pick([
      'The password must be at least 8 characters long.',
      'Password: must contain a digit',
      'Please enter your password to continue',
      'Your token has expired, please log in again',
      'password is required',
      'Forgot your password? Reset it here.',
      'The secret to success is persistence',
      'invalid token: unexpected end of input',
      'Invalid password',
      'authentication failed: wrong password',
      'no credentials provided',
      'The api key is missing',
      'Secret not found',
      'token refreshed',
      'error: token is malformed',
      'Password changed successfully',
      'Auth: failed login attempt',
      'authorization: required',
      'Key: value pairs are supported',
      'Bearer authentication required',
    ]),
  counts: (r) =>
    r.pick([
      `token_count: ${r.below(9000)}`,
      `max_tokens=${r.below(4096)}`,
      `"prompt_tokens": ${r.below(9000)}, "completion_tokens": ${r.below(900)}`,
      `tokens=${r.below(99999)}`,
      `tokens_per_second: ${r.below(100)}.${r.below(9)}`,
      `password_length=${r.below(64)}`,
      `secrets: ${r.below(9)}`,
      `PASS: ${r.below(90)} FAIL: ${r.below(9)}`,
      `pass=${r.below(99)} fail=0`,
    ]),
  models: (r) =>
    r.pick([
      'tokenizer=bpe',
      'tokenizer: "cl100k_base"',
      '"eos_token": "</s>"',
      '"pad_token": "<pad>"',
      'tokenizer_class=GPT2Tokenizer',
      'bos_token_id: 1',
      'token_type_ids=[0, 0, 1]',
    ]),
  'secret names': (r) =>
    r.pick([
      `secretName: ${word(r)}-tls`,
      `secretName: my-secret`,
      'secretKeyRef:',
      `secret_name = "${word(r)}-db"`,
      `tokenName: ${word(r)}`,
      `passwordPolicy: strict`,
      `keyVaultName: kv-${word(r)}`,
      `key_name = "${word(r)}"`,
      'imagePullSecrets:',
      `existingSecret: ${word(r)}-credentials`,
      'secretRef:',
    ]),
  files: (r) =>
    r.pick([
      `password_file=/run/secrets/${word(r)}`,
      `POSTGRES_PASSWORD_FILE=/run/secrets/db`,
      `--token-file /etc/${word(r)}/token`,
      `ssl_key_path: /etc/ssl/private/${word(r)}.key`,
      `key_file = "/etc/nginx/${word(r)}.pem"`,
      `/run/secrets/kubernetes.io/serviceaccount/token`,
      `~/.ssh/id_rsa`,
      `secrets/${word(r)}.yaml`,
      'auth.ts:42:13',
      'src/password/index.js:10',
    ]),
  references: (r) =>
    r.pick([
      'password: ${DB_PASSWORD}',
      'DB_PASSWORD=$DB_PASSWORD',
      'token: ${{ secrets.GITHUB_TOKEN }}',
      'api_key = var.api_key',
      'password: {{ .Values.password }}',
      'const token = process.env.TOKEN',
      "password = os.environ['DB_PASSWORD']",
      'secret: <your-secret>',
      'PASSWORD=********',
      'api_key: xxxxxxxx',
      'password=$(cat /run/secrets/db)',
      'token = getToken()',
      'password: !vault |',
      'password=<password>',
      'apiKey: config.apiKey',
      'password = self.password',
      'token: [REDACTED]',
    ]),
  types: (r) =>
    r.pick([
      'password: string;',
      'token: str',
      'password?: string',
      'secret: SecretStr',
      'apiKey: string | undefined',
      'password VARCHAR(255) NOT NULL',
      'token text',
      '"password": {"type": "string"}',
      'def login(user, password):',
      'function auth(token, secret) {',
      'password: String,',
      'let token: Token;',
    ]),
  states: (r) =>
    r.pick([
      'auth=true',
      'auth: enabled',
      'authentication: none',
      'password=null',
      'token: null',
      '"secret": false',
      'use_token=true',
      'auth_mode=basic',
      'token_type: bearer',
      '"token_type":"Bearer"',
      'auth_method=ldap',
      'password_enabled: yes',
      'require_auth: false',
      'session: active',
      'cookie_secure=true',
      'authorization_mode=RBAC',
    ]),
  urls: (r) =>
    r.pick([
      `https://example.com/oauth/token?grant_type=client_credentials`,
      `http://localhost:${3000 + r.below(999)}/auth/login`,
      `https://auth.example.com:8443/realms/${word(r)}`,
      `GET /api/v1/tokens?page=${r.below(9)}&limit=20 HTTP/1.1`,
      `https://github.com/${word(r)}/${word(r)}.git`,
      'git@github.com:acme/app.git',
      `ssh://git@host.example/${word(r)}`,
      `mailto:me@example.com`,
      `postgres://db:5432/app`,
      `redis://cache:6379/0`,
      `amqp://mq.internal:5672`,
      `https://example.com/reset-password`,
      `https://example.com/@${word(r)}/post`,
    ]),
  uuids: (r) =>
    r.pick([
      `id=${uuid(r)}`,
      `request_id: ${uuid(r)}`,
      `trace=${uuid(r)} span=${r.chars(HEX, 16)}`,
      `X-Request-Id: ${uuid(r)}`,
      uuid(r),
    ]),
  hashes: (r) =>
    r.pick([
      `sha256:${r.chars(HEX, 64)}`,
      `commit ${r.chars(HEX, 40)}`,
      `nginx@sha256:${r.chars(HEX, 64)}`,
      `md5=${r.chars(HEX, 32)}`,
      `integrity sha512-${r.chars(BASE62, 86)}==`,
      `etag: "${r.chars(HEX, 32)}"`,
      `index ${r.chars(HEX, 7)}..${r.chars(HEX, 7)} 100644`,
      `checksum: ${r.chars(HEX, 64)}`,
    ]),
  base64: (r) =>
    r.pick([
      `data:image/png;base64,iVBORw0KGgo${r.chars(BASE62, 80)}==`,
      `"thumb":"/9j/4AAQSkZJRg${r.chars(BASE62, 60)}"`,
      `body=${r.chars(BASE62, 60)}==`,
    ]),
  digests: (r) =>
    r.pick([
      `GPG_KEY=${r.chars('0123456789ABCDEF', 40)}`,
      `PYTHON_SHA256=${r.chars(HEX, 64)}`,
      `NODE_VERSION=20.${r.below(20)}.1`,
      `PYTHON_PIP_VERSION=23.0.1`,
      `"Id":"${r.chars(HEX, 64)}"`,
      `NGINX_VERSION=1.25.${r.below(9)}`,
      `PKG_RELEASE=1~bookworm`,
    ]),
  k8s: (r) =>
    r.pick([
      `kubectl create secret generic ${word(r)} --from-file=./x`,
      `secret/${word(r)}-token created`,
      `serviceAccountToken:`,
      `MountVolume.SetUp succeeded for volume "kube-api-access-${r.chars(LOWER, 5)}"`,
      `pod/${word(r)}-${r.chars(HEX, 10)}-${r.chars(LOWER, 5)} created`,
      'automountServiceAccountToken: false',
      `kubernetes.io/service-account-token   3      ${r.below(99)}d`,
      'secrets is forbidden: User cannot list resource "secrets"',
      'type: kubernetes.io/tls',
    ]),
  compose: (r) =>
    r.pick([
      'secrets:',
      '  db_password:',
      '    file: ./db_password.txt',
      'Creating network "app_default"',
      `db_1  | LOG:  database system is ready to accept connections`,
      `web_1  | Listening on port ${r.below(9999)}`,
      'POSTGRES_HOST_AUTH_METHOD=trust',
    ]),
  terraform: (r) =>
    r.pick([
      '+ password = (sensitive value)',
      'key_name      = "deployer"',
      `aws_secretsmanager_secret.${word(r)}: Creating...`,
      '  + secret_id = (known after apply)',
      `aws_key_pair.${word(r)}: Refreshing state... [id=${word(r)}]`,
      'variable "db_password" {',
      '  sensitive   = true',
    ]),
  npm: (r) =>
    r.pick([
      `npm WARN deprecated ${word(r)}-token@1.${r.below(9)}.0: no longer maintained`,
      `added ${r.below(900)} packages in ${r.below(60)}s`,
      `├── jsonwebtoken@9.0.${r.below(9)}`,
      'npm ERR! code E401',
      `"jsonwebtoken": "^9.0.0",`,
      `"passport-local": "1.0.0",`,
      `"tokenizers": "0.13.${r.below(9)}",`,
      'npm notice Publishing to https://registry.npmjs.org/ with tag latest',
    ]),
  pip: (r) =>
    r.pick([
      `Collecting tokenizers==0.${r.below(20)}.3`,
      `Successfully installed pyjwt-2.${r.below(9)}.0 secretstorage-3.3.3`,
      'Requirement already satisfied: keyring in /usr/lib/python3',
      `Downloading passlib-1.7.4-py2.py3-none-any.whl (525 kB)`,
    ]),
  access: (r) =>
    `${r.below(255)}.${r.below(255)}.0.1 - - [10/Oct/2024:13:55:36 +0000] "${r.pick(['GET /login', 'POST /api/token', 'GET /assets/key.svg', 'GET /password/reset'])} HTTP/1.1" ${r.pick(['200', '401', '302'])} ${r.below(9999)} "-" "Mozilla/5.0 (X11; Linux x86_64)"`,
  traces: (r) =>
    r.pick([
      `    at TokenService.verify (/app/src/auth/token.service.ts:${r.below(400)}:17)`,
      `  File "/usr/lib/python3/site-packages/auth/token.py", line ${r.below(400)}, in verify`,
      `java.lang.IllegalArgumentException: Invalid token: null`,
      `\tat com.example.security.PasswordEncoder.matches(PasswordEncoder.java:${r.below(400)})`,
      `panic: secret.Get: not found`,
      `goroutine ${r.below(90)} [running]:`,
      "TypeError: Cannot read properties of undefined (reading 'token')",
      'SyntaxError: Unexpected token: <',
      'jwt.exceptions.ExpiredSignatureError: Signature has expired',
      "KeyError: 'password'",
    ]),
  translations: (r) =>
    r.pick([
      '"password": "Passwort"',
      '"password": "Mot de passe",',
      '"login.password.label": "Password"',
      '"forgot_password": "Forgot password?"',
      '"token_expired": "Your session has expired"',
      '"enter_password": "Enter your password"',
      '"password": "Contraseña"',
      'password: Kennwort',
      '"api_key": "API key",',
      '"confirmPassword": "Confirm password"',
      '"secret": "Geheimnis"',
    ]),
  'key value': (r) =>
    r.pick([
      'key: value',
      'key=value',
      `cache_key=user:${r.below(999)}`,
      'primary_key: id',
      'foreign_key=user_id',
      'partitionKey: "pk"',
      `sort_key=created_at`,
      `s3 key: uploads/2024/${word(r)}.png`,
      `public_key_id: ${word(r)}`,
      'keyboard: us',
      'monkey=1',
      'hotkey: ctrl+k',
      'Key pressed: Enter',
      `idempotency_key=${uuid(r)}`,
      `routing_key: orders.${word(r)}`,
      'api_key_header: X-Api-Key',
      `Object key: ${word(r)}/${word(r)}.txt`,
    ]),
  'words within': (r) =>
    r.pick([
      'compass: north',
      'bypass=1',
      'author: me',
      'passenger=2',
      'secretary: Ann',
      'authority=local',
      'broken: yes',
      'surpassed: true',
      'tokenize=true',
      'authored-by: Bob',
      'keyword: x',
      'passthrough: on',
      'cookiecutter==2.1',
      'sessions: 3',
      'pinned: true',
      'spin=1',
    ]),
  images: (r) =>
    r.pick([
      `acme/auth:1.${r.below(9)}`,
      `ghcr.io/acme/token-service:v2.${r.below(9)}.0`,
      `hashicorp/vault:1.1${r.below(9)}`,
      `quay.io/keycloak/keycloak:2${r.below(5)}.0`,
      `image: secret-manager:latest`,
      `auth.example.io:5000/tool:latest`,
      `docker pull acme/password-api:3`,
    ]),
  timestamps: (r) =>
    r.pick([
      `token expires: 2024-0${1 + r.below(9)}-01T00:00:00Z`,
      `password_changed_at=2024-01-0${1 + r.below(9)}`,
      `token_ttl: ${r.below(99)}h`,
      'session_timeout=30m',
      `auth_time: 17${r.chars(DIGITS, 8)}`,
      `token_expiry=${r.below(9999)}`,
    ]),
  ...MACHINE_CATEGORIES,
}

export const CATEGORY_COUNT: number = Object.keys(CATEGORIES).length

export function negatives(seed: number): Negative[] {
  const random = createRandom(seed)
  return Object.entries(CATEGORIES).flatMap(([category, make]) =>
    Array.from({ length: 60 }, () => ({ category, text: make(random) })),
  )
}
