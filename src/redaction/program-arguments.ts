/** Where the secrets stand among the arguments of known programs. */

/** Program, and what stands before the secret on its argument line (`argument-line.ts`); `@` where the secret ends at the last `@` before a host. */
export interface SecretArgument {
  before: RegExp
  upToHost?: true
  /** Only what has digits or signs among its letters: the argument may also be a name. */
  mixed?: true
}

type Row = readonly [names: string, before: string, more?: { upToHost?: true; mixed?: true }]

const ROWS: readonly Row[] = [
  [
    'mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlpump mysqlbinlog mysqlslap mysqlsh mariadb mariadb-dump mariadb-admin mycli',
    String.raw`\s-p(?!ort|rot)(?=["']?[^\s"',;|&-])`,
  ],
  ['mysqlsh', String.raw`\s["']?[\w.-]{1,60}:(?=[^\s/][^\s]{0,200}@)`, { upToHost: true }],
  [
    'curl http https httpie xh hey ab wget siege',
    String.raw`(?:^|\s)(?:-[a-zA-Z]{0,6}[uU]|--user|--proxy-user|-a|-A|-P|--auth)[= ]{0,4}["']?[^\s:"'/=-][^\s:"'/]{0,100}:`,
  ],
  ['curl http https wget', String.raw`\s(?:-b|--cookie)[= ]["']?[^\s"'=;]{1,60}=`, { mixed: true }],
  ['az', String.raw`^ (?:sql|mysql|postgres|mariadb|vm|vmss|synapse|webapp|ad)\b[^|\n]{0,200}?\s-p `],
  ['login', String.raw`\s(?:-p|--password)(?:[= ]{1,4})`],
  ['sshpass', String.raw`\s-p ?`],
  ['plink pscp psftp putty', String.raw`\s-pw `],
  ['redis-cli valkey-cli keydb-cli', String.raw`\s(?:-a|--pass) `],
  [
    `mongo mongosh mongodump mongorestore mongoexport mongoimport cqlsh twine rabbitmqadmin influx cypher-shell
    evil-winrm crackmapexec cme nxc netexec rdesktop ncftp ncftpput ncftpget racadm rcon mcrcon rcon-cli altool beeline
    couchbase-cli cbq cbbackup smbmap psexec elasticsearch-users dotnet nuget hydra medusa mqttx snowsql arangosh`,
    String.raw`\s(?:-p|-pw|-Password) (?!-)`,
  ],
  ['nuget dotnet', String.raw`\s(?:-k|-ApiKey|setapikey) (?!-)`, { mixed: true }],
  ['ldapsearch ldapadd ldapmodify ldapdelete ldappasswd ldapwhoami ldapcompare', String.raw`\s-w ?(?!\s)`],
  ['ldappasswd', String.raw`\s-[sa] ?(?!\s)`],
  ['kadmin kadmin.local', String.raw`\s-(?:w|pw) `],
  ['smbclient smbmap rpcclient smbget winexe wmic', String.raw`\s-U ?["']?[\w\\/.@-]{1,60}%`],
  ['sqlcmd bcp isql osql tsql mssql-cli', String.raw`\s-P ?`],
  ['mosquitto_pub mosquitto_sub mosquitto_rr', String.raw`\s(?:-P|--pw) `],
  ['mosquitto_passwd', String.raw`\s-[a-zA-Z]*b[a-zA-Z]* \S{1,80} \S{1,80} `],
  ['7z 7za 7zr 7zz rar unrar', String.raw`\s-h?p(?=["']?[^\s"'-])`],
  ['zip unzip', String.raw`\s-P ?`],
  ['skopeo buildah crane oras regctl', String.raw`\s--(?:src-|dest-)?creds[= ]["']?[^\s:"']{1,60}:`],
  ['crane buildah oras podman az skopeo', String.raw`^ (?:\S{1,20} )?login\b[^|\n]{0,200}?\s-p `],
  ['etcdctl', String.raw`\s--user[ =]["']?[^\s:"']{1,60}:`],
  ['htpasswd', String.raw`\s-(?=[a-zA-Z]*n)(?=[a-zA-Z]*b)[a-zA-Z]+(?: \d{1,2})? \S{1,80} `],
  ['htpasswd', String.raw`\s-(?![a-zA-Z]*n)(?=[a-zA-Z]*b)[a-zA-Z]+(?: \d{1,2})? \S{1,80} \S{1,80} `],
  ['aws', String.raw`\sconfigure set (?=\S{0,40}(?:secret|token))\S{1,60} `],
  ['netlify', String.raw`\s--auth[ =]`],
  ['radtest', String.raw`^ (?:-\S+ ){0,4}\S{1,60} `],
  ['srcds_run srcds hlds_run', String.raw`\s\+(?:sv_setsteamaccount|rcon_password|sv_password) `],
  [
    'secretsdump.py psexec.py wmiexec.py smbexec.py atexec.py dcomexec.py getuserspns.py getnpusers.py',
    String.raw`\s[\w./-]{1,80}:(?=\S{1,200}@)`,
    { upToHost: true },
  ],
  ['importprivkey', `^ (?=["']?[5KLc9][1-9A-HJ-NP-Za-km-z]{50})`],
  ['nmcli', String.raw`\s(?:password|wep-key-?\w*|(?:802-11-wireless-security|wifi-sec)\.(?:psk|wep-key\d)) `],
  ['rootpw', `^ (?:--plaintext |--iscrypted )?(?!-)`, { mixed: true }],
  ['snmpwalk snmpget snmpset snmpbulkwalk snmpbulkget snmpgetnext snmptrap snmptable', String.raw`\s-[cAX] ?(?!\s)`],
  ['ssh-keygen', String.raw`\s-[NP] `],
  ['lftp', String.raw`\s-u ["']?[^\s,]{1,60},`],
  ['ipmitool', String.raw`\s-P `],
  ['useradd usermod', String.raw`\s(?:-p|--password)[ =]`],
  ['openssl', String.raw`\s-(?:k|K|passin|passout|pass) (?:pass:)?(?!(?:file|env|fd|stdin)\b)`],
  ['apksigner', String.raw`\s--(?:ks|key)-pass pass:`],
  ['xfreerdp wfreerdp xfreerdp3', String.raw`\s/p:`],
  ['signtool schtasks', String.raw`\s/(?:p|rp) `],
  ['vault', String.raw`\slogin (?=\S*\d)(?!-)`],
  ['vault', String.raw`\soperator unseal (?!-)`],
  ['cargo wandb', String.raw`\slogin (?:--relogin )?(?!-)`, { mixed: true }],
  ['snyk', String.raw`\sauth (?!-)`, { mixed: true }],
  ['doctl', String.raw`\s-t (?!-)`],
  ['poetry', String.raw`\sconfig (?:-\S{1,80} )?(?:http-basic\.\S{1,80} \S+|pypi-token\.\S+) `],
  [
    'composer',
    String.raw`\sconfig (?:-\S{1,40} ){0,3}(?:http-basic\.\S{1,80} \S+|(?:bearer|github-oauth|gitlab-token|gitlab-oauth)\.\S+) `,
  ],
  ['bundle bundler', String.raw`\sconfig (?:set )?(?:--\w+ )?\S{1,80} (?:--\w+ )?["']?[\w.@-]{1,60}:`],
  ['gem', String.raw`\s(?:-k|--key)[ =]`, { mixed: true }],
  ['mc', String.raw`\s(?:alias|config host) (?:set|add) \S{1,80} \S{1,200} \S{1,80} `],
  ['activate-refresh-token', String.raw`\s\S{1,80} `],
  ['convertto-securestring', String.raw`\s(?:-String )?(?=["'])`],
  ['sqlplus impdp expdp sqlldr rman sqlcl', String.raw`[\s"'][\w$.-]{1,40}\/(?=[^\s/])`, { upToHost: true }],
  ['rabbitmqctl', String.raw`\s(?:add_user|change_password|authenticate_user) (?:-\S{1,40} ){0,3}\S{1,80} (?!-)`],
  ['neo4j-admin', String.raw`\sset-initial-password (?!-)`],
  ['jenkins-cli.jar jenkins-cli', String.raw`\s-auth ["']?[^\s:"'@]{1,80}:`],
  ['wpa_passphrase', String.raw`^ (?:"[^"\n]{1,40}"|'[^'\n]{1,40}'|\S{1,40}) `],
  ['erl iex elixir', String.raw`\s-?-(?:set)?cookie ["']?(?=\w)`],
  ['put-parameter', String.raw`^(?=.{0,300}?(?:SecureString|assw|secret|token|key)).{0,400}?\s--value[= ]`],
  ['keyvault', String.raw`^ secret set\b.{0,300}?\s--value[= ]`],
  ['gh', String.raw`^ secret set\b.{0,200}?\s(?:--body|-b)[= ]?(?!\s)`],
  ['pulumi', String.raw`\sconfig set (?:-\S{1,40} ){0,3}--secret (?:--path )?\S{1,80} `],
  ['pulumi', String.raw`\sconfig set (?!-)\S{1,80} (?=\S{1,80} --secret)`],
  ['oathtool', String.raw`\s(?:-b|--base32|--totp) (?:-\S{1,40} ){0,3}(?=[A-Za-z0-9]{10})`],
  ['swaks sendemail', String.raw`\s-(?:ap|xp) `],
  ['net', String.raw`^ [uU][sS][eE] (?:\S{1,80} )?\\\\\S{1,80} (?!/|\\)(?=\S)`],
  ['net', String.raw`^ [uU][sS][eE] \S.{0,120}?\/user:\S{1,80} (?!/|\()`],
  ['net', String.raw`^ [uU][sS][eE][rR] \S{1,80} (?!/)(?=\S)`],
  ['security', String.raw`^ (?:unlock-keychain|import|create-keychain|set-key-partition-list)\b[^|\n]{0,200}?\s-[pP] `],
  ['certutil', String.raw`\s-p `],
  ['steamcmd', String.raw`\s\+login \S{1,60} (?!\+)`],
  ['iwconfig', String.raw`\s(?:key|enc) (?:s:)?(?!on\b|off\b)`],
  ['connect', String.raw`^ to \S{1,60} user \S{1,60} using `],
  ['user-secrets', String.raw`^ set \S{1,100} `],
  ['sp_addlogin sp_addlinkedsrvlogin', String.raw`\s+N?'[^'\n]{1,60}', (?=N?')`],
  ['nsupdate dig rndc', String.raw`\s-y ["']?(?:[\w-]+:)?[\w.-]+:`],
  ['ansible-vault', String.raw`\sencrypt_string ["'](?!-)(?=[^"'\n])`],
  ['rclone', String.raw`\sobscure `],
  ['keyctl', String.raw`\sadd \S{1,80} \S{1,80} (?!-)`],
]

export const SECRET_ARGUMENTS: ReadonlyMap<string, readonly SecretArgument[]> = (() => {
  const map = new Map<string, SecretArgument[]>()
  for (const [names, before, more] of ROWS) {
    const found = { before: new RegExp(before, 'g'), ...more }
    for (const name of names.split(/\s+/)) map.set(name, [...(map.get(name) ?? []), found])
  }
  return map
})()
