/** Harmless texts of system services, command lines, permissions, certificates and container engines. */
import { BASE62, DIGITS, HEX, type Random } from './random.js'

export const word = (r: Random): string =>
  r.pick('alpha bravo charlie delta echo kilo lima oscar tango victor'.split(' '))

export const MACHINE_CATEGORIES: Record<string, (random: Random) => string> = {
  systemd: (r) =>
    r.pick([
      `sshd[${r.below(9999)}]: Accepted publickey for root from 10.0.0.${r.below(255)} port 22 ssh2`,
      `pam_unix(sshd:auth): authentication failure; logname= uid=0`,
      'systemd[1]: Started Forward Password Requests to Wall.',
      `Failed password for invalid user admin from 10.0.0.${r.below(255)} port ${r.below(65000)}`,
      'auth.service: Main process exited, code=exited',
      'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 user@host',
    ]),
  help: (r) =>
    r.pick([
      '  -p, --password string        Password',
      '  --token <token>   API token to use',
      'Usage: login [--password PASSWORD] [--user USER]',
      '--password-stdin   Take the password from stdin',
      '  -t, --auth-token=TOKEN  the token',
      'Use --password to set a password',
      'mysql -u root -p',
      'docker login --username foo --password-stdin',
      'curl -u user https://example.com',
      'docker run -p 8080:80 nginx',
    ]),
  scopes: (r) =>
    r.pick([
      'scope: repo read:token',
      'permissions: secrets:read',
      'secretsmanager:GetSecretValue',
      '"Action": "secretsmanager:GetSecretValue"',
      'sts:AssumeRole iam:PassRole',
      'Allow: token:write',
      'grant_type=password',
      'grant_type=refresh_token',
      'response_type=token',
      'role: auth.admin',
      `arn:aws:secretsmanager:eu-west-1:${r.chars(DIGITS, 12)}:secret:${word(r)}-${r.chars(BASE62, 6)}`,
    ]),
  certificates: (r) =>
    r.pick([
      `-----BEGIN CERTIFICATE-----\nMIID${r.chars(BASE62, 60)}\n-----END CERTIFICATE-----`,
      `-----BEGIN PUBLIC KEY-----\nMIIB${r.chars(BASE62, 60)}\n-----END PUBLIC KEY-----`,
      `SHA256:${r.chars(BASE62, 43)} root@host (ED25519)`,
      `Serial Number: ${r.chars(HEX, 16)}`,
    ]),
  docker: (r) =>
    r.pick([
      `"Env":["PATH=/usr/bin","GPG_KEY=${r.chars('0123456789ABCDEF', 40)}"]`,
      `Status: Downloaded newer image for ${word(r)}:latest`,
      `Digest: sha256:${r.chars(HEX, 64)}`,
      `${r.chars(HEX, 12)}   ${word(r)}:latest   "docker-entrypoint.s…"   2 hours ago`,
      `"NetworkID":"${r.chars(HEX, 64)}"`,
      `"MacAddress":"02:42:ac:11:00:0${r.below(9)}"`,
      'level=info msg="Loading containers: done."',
    ]),
}
