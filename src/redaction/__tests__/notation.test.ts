/** Notations in which secrets are named: each line with its secrets between « and ». */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of shells and frameworks are part of what is tested
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../index.js'

const redactor = createRedactor()

const SECRETS = [
  // Arguments as lists, on continued lines, behind colours and in JSON.
  'command: ["docker", "login", "-u", "ci", "-p", "«Zq7mR2xKt9Wv»", "registry.example.com"]',
  "Command '['curl', '-u', 'app:«Zq7mR2xKt9Wv»']' returned non-zero exit status 22",
  'mysqladmin \\\n    ping \\\n    -uroot \\\n    -p«Zq7mR2xKt9Wv» \\\n    --silent',
  '\u001b[36mapi-1  | \u001b[0mmysqldump -h db -u root -p«Zq7mR2xKt9Wv» users',
  '{"script":"set -e\\nldapsearch -x -D cn=reader -w «Zq7mR2xKt9Wv» -b dc=acme\\necho done\\n"}',
  'args:\n  mongosh\n  - --host\n  - db\n  - -p\n  - «Zq7mR2xKt9Wv»\n',
  'ldappasswd -x -D cn=admin -w «Zq7mR2xKt9Wv» -s «Yk3nB8vLp4Qx» uid=jdoe',
  'printf "«683f349ddd1142712b867d8e»" | docker secret create db_password -',
  // Headers as programs print them.
  'map[Accept:[*/*] X-Api-Key:[«QMSGcacM1LQMf4n2WnQ3wdKB5NZ2VJow»] User-Agent:[Go-http-client/1.1]]',
  "rawHeaders: [ 'Host', 'a.example', 'Authorization', '«Token f123463809fc942588c827af5d73fce7»', 'Accept', '*/*' ]",
  // Lines behind what a log puts in front of them.
  '{"log":"setenv AUTH_TOKEN «xub20MuWUJ-dO6N_uOfyIcKGX7»\\n","stream":"stdout"}',
  'api-1  | fastcgi_param API_SECRET «1b75b687668e6a0350e593990b364735»;',
  'db-1  | Password for the elastic user:\ndb-1  |   «qTMMNlXZEM6TBIUIFcea7»\n',
  // What code says.
  "const secret = process.env.JWT_SECRET || '«Yhz5?Q42e)TjlVA»'",
  'password = os.getenv("DB_PASSWORD", "«Yhz5Q42eTjlVA»")',
  'props.setProperty("password", "«h9*B4dger82»");',
  "define( 'DB_PASSWORD', '«zeppelin-dolphin-tornado-cactus-marble»' );",
  'public string ClientSecret { get; set; } = "«saffron-walrus-pickle-jigsaw-38»";',
  'var jwtKey = []byte("«eNtg3kUMCxyusnUt4c3fokkKRHtXF»")',
  '@Value("${api.secret:«sogvFvvvN9rkz»}") private String apiSecret;',
  'if ($http_x_api_key != "«dXJO6uUK5t4ZHtMsO4WVEWjo2vUaUD5xta»") { return 403; }',
  "const token = jwt.sign({ id: user.id }, '«e9)M4ndolin87»', { expiresIn: '1h' })",
  "mysqli_real_connect(Object(mysqli), '10.0.3.17', 'app', '«578b8d413dd7ec737a296daa»')",
  // Dumps, documents and settings.
  'a:2:{s:4:"user";s:5:"admin";s:8:"password";s:44:"«WfYuookHQKNLGMRREdCNdGQJiiywpb6s»";}',
  'HikariConfig - password.........................«WELN9plfXu7o0FfNj1lncGucTWY5i85ZRW»',
  '"Jwt": {\n    "Key": "«Jasm1n37690!»",\n    "Issuer": "https://shop.local"\n  }',
  '{"kind":"Secret","data":{"grafana":"«e+S3p/wXvrtFOwGS0JFQVQ==»"},"type":"Opaque"}',
  '| User | Password |\n| --- | --- |\n| app | «myGoblin2023x» |\n',
  '<tr><td class="e">DB_PASSWORD </td><td class="v">«Tsrbm4gIyJ8sl»</td></tr>',
  "SET PASSWORD FOR 'app'@'%' = PASSWORD('«M34d0wTrombone234»');",
  'level=info msg=login user=jdoe password=«Pretzel&gazebo-19» status=200',
  'storePassword = "«/nDwQZmDupiYTiz0P06bl96j»"',
  '"CONFIG" "SET" "requirepass" "«sierra-lichen-walnut-56»"',
  '{"level":"info","msg":"C: AUTH PLAIN «QcdHgjQc0FzhhvDz+0z6A2LvBo7g6yam7Pv2ltI=»","svc":"agent"}',
  '{"log":": PSK \\"«GR1c^WT9%6uAq?»\\"\\n","stream":"stdout"}',
  'Changed password for user [elastic]: PASSWORD elastic = «EWUSpnWwyGL0rZODHNT9»',
  'Password for the elastic user (reset with `bin/elasticsearch-reset-password -u elastic`): «hMaDXzV0P_s02kavNA3t»',
  "az sql server create -n acme -u sqladmin -p '«geXK!y46*vLKb^»' -g rg1",
  'curl -b "session=«4236f990dd0959426a14c766c1eae462»" https://mail.example.com/account',
  '  + random_password.db.result = "«aRUpjYAEOAGAGXTGePTqOxFf»"',
  'Please use the following password to proceed to installation:\nweb-1  | \nweb-1  | «80c448a5471539091532c56cf7b0c1a7»\n',
  '<name>fs.s3a.secret.key</name>\n2025-03-12T11:43:19Z   <value>«18Jnjq0FwMAXyHxsw1vcRe+goSPiP13kpYLrMUbs»</value>\n',
]

const HARMLESS = [
  'Mar 24 06:11:43 node-3 auth[7572]: GPG_KEY=DCAB41F65C45D23E8FD06F982CF2AE24C8D7F2EF',
  'auth-1  | trace_id=2b7cc68e85cb4a6b468afd60de4e938a span_id=c2360437addba69d',
  ': "${GITHUB_TOKEN:?must be set}"',
  'kube_secret_info{namespace="prod",secret="db-credentials"} 1',
  'Successfully installed PyJWT-6.7.1 cryptography-8.5.2 itsdangerous-5.28.5',
  'message LoginRequest { string username = 1; string password = 2; }',
  'password_hash = bcrypt.hashpw(password, bcrypt.gensalt())',
  '<PasswordInput value={password} onChange={setPassword} />',
  '{"errors":{"password":["is too short (minimum is 11 characters)"]}}',
  'PASSWORD_HASH_ROUNDS=9\nPASSWORD_HASHERS=argon2',
  'S3 key: backups/2023-03-16/dump.sql.gz',
  'web-1  |   apiKey:\nweb-1  |     type: apiKey\nweb-1  |     in: header\n',
  'GET /reset-password HTTP/2.0',
  'password= user=bob154',
  'if (password === confirmPassword) {',
  '-e POSTGRES_PASSWORD=$POSTGRES_PASSWORD \\',
  'jwt.expiration-ms=3542527',
  'Cache restored from key: node-cache-Linux-x64-npm-9c3b6e4445230d55c09c99c4ba0e55962e06024accd70c2a166d4243868114f9',
  'psql -U deploy -h db -p 5432 orders',
  'docker login -u ci -p ***',
  'main.readPassword(0xc000a63094)',
  'postgres://ci-bot:xxxxx@db.example.com:5432/wiki',
]

describe('notations [S11]', () => {
  for (const marked of SECRETS) {
    it(`hide the secrets of ${JSON.stringify(marked.slice(0, 70))}`, () => {
      const text = redactor.text(marked.replaceAll(/[«»]/g, ''))
      for (const [, secret = ''] of marked.matchAll(/«([^»]+)»/g)) {
        for (let at = 0; at + 6 <= secret.length; at++) {
          assert.ok(!text.includes(secret.slice(at, at + 6)), text)
        }
      }
      assert.equal(redactor.text(text), text, 'twice is once')
    })
  }
  for (const line of HARMLESS) {
    it(`leave ${JSON.stringify(line.slice(0, 70))} as it is`, () => {
      assert.equal(redactor.text(line), line)
    })
  }

  it('keep JSON valid', () => {
    for (const marked of SECRETS) {
      const given = marked.replaceAll(/[«»]/g, '')
      if (!/^\{.*\}$/.test(given)) continue
      JSON.parse(given)
      assert.doesNotThrow(() => JSON.parse(redactor.text(given)), redactor.text(given))
    }
  })
})
