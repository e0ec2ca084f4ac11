/** Formats of providers: placeholders give nothing away, tokens are taken to their end, what only resembles one is left. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../index.js'
import { PREFIXED } from '../provider-rules.js'

const redactor = createRedactor()
const hex = (length: number): string => '3f9a07c5e1b82d46'.repeat(32).slice(0, length)
const mixed = (length: number): string => 'k3TqZ9xWb7LmR2vY'.repeat(32).slice(0, length)

describe('formats of providers', () => {
  it('have placeholders that repeat no part of their marks', () => {
    for (const [rule, marks] of PREFIXED) {
      for (const mark of marks.split(' ')) {
        for (let at = 0; at + 6 <= mark.length; at++) {
          assert.ok(!`[REDACTED:${rule}]`.includes(mark.slice(at, at + 6)), `${rule} repeats ${mark}`)
        }
      }
    }
  })

  it('are found in neutral surroundings, whole', () => {
    const tokens = [
      `A3TX${'Q7'.repeat(8)}`,
      `sgp_${mixed(64)}`,
      `${hex(36)}NRAL`,
      `eu01xx${hex(30)}NRAL`,
      `${mixed(6)}_${mixed(29)}_mmk`,
      `${hex(10)}msh${hex(15)}p1${hex(6)}jsn${hex(12)}`,
      `${mixed(52)}JQQJ99${mixed(26)}`,
      `AAAA${mixed(7)}:APA91b${mixed(134)}`,
      `AAAA${mixed(7)}:${mixed(140)}`,
      `t1.${mixed(48)}.${mixed(86)}`,
      `ory_at_${mixed(43)}.${mixed(43)}`,
      `dbtc_${mixed(40)}`,
      `dbtu_${mixed(40)}`,
      `pylf_v1_eu_${mixed(43)}`,
      `jca_${mixed(36)}`,
      `71|${mixed(40)}`,
      `zpka_${mixed(32)}_${hex(8)}`,
      `default:development.${hex(56)}`,
      `*:production.${hex(56)}`,
      `cmVmdGtuO${mixed(55)}`,
      `secret_${mixed(43)}`,
      `bce-v3/ALTAK-${mixed(21)}/${hex(40)}`,
      `APP_USR-${'1234567890123456'}-${'010203'}-${hex(32)}-${'123456789'}`,
      `live_${mixed(30)}`,
      `sk_1x1_${hex(64)}`,
      `K10${hex(64)}::server:${hex(32)}`,
      `1234567890123456|${mixed(27)}`,
      `ghp_${mixed(400)}`,
      `shppa_${mixed(48)}`,
    ]
    for (const token of tokens) {
      for (const [before, after] of [
        ['', ''],
        ['started with ', ' at once'],
        ['{"ref":"', '"}'],
        ['\\n', '\\n'],
        ['ref%3D', '%26a'],
        ['\u001b[32m', '\u001b[0m'],
      ] as const) {
        const shown = redactor.text(`${before}${token}${after}`)
        assert.match(shown.slice(before.length), /^\[REDACTED:[a-z0-9-]+\]/, token)
        assert.equal(shown.slice(0, before.length) + shown.slice(shown.indexOf(']', before.length) + 1), before + after)
      }
    }
  })

  it('with a name in their mark take nothing behind them for its value', () => {
    for (const token of [`secret_${mixed(43)}`, `github_pat_${mixed(60)}`, `sb_secret_${mixed(36)}`]) {
      const shown = redactor.text(`<td>${token}</td><td>2026-01-08</td>`)
      assert.match(shown, /^<td>\[REDACTED:[a-z-]+\]<\/td><td>2026-01-08<\/td>$/)
    }
  })

  it('leave what is only like one', () => {
    for (const text of [
      `cache/0/${hex(32)}.png`,
      `objects/1/${hex(40)}`,
      `request api-gateway-7d9c5b8f6-x2x4z is ready`,
      'db-01,db-02,db-03-replica-eu-west-1a',
      'pk_live_51HxVQ2eZvKYlo2C0abc',
      `img: data:image/png;base64,${'AAAAAAAAAA'.repeat(30)}`,
      'skey_name is unknown',
      `| ${hex(8)} | 10| 20| 30|`,
    ]) {
      assert.equal(redactor.text(text), text)
    }
  })
})

describe('structures of engines', () => {
  const secret = 'Zq7mR2xKt9Wv'
  for (const [what, value] of [
    [
      'arguments apart from their program',
      { ProcessConfig: { entrypoint: 'mysql', arguments: ['-uroot', `-p${secret}`] } },
    ],
    ['a health check', { Test: ['CMD', 'curl', '-u', `probe:${secret}`, 'http://localhost/'] }],
    ['what a Kubernetes secret holds', { kind: 'Secret', data: { 'app.conf': secret } }],
    ['a list of them', { kind: 'SecretList', items: [{ data: { a: secret } }] }],
    ['a sensitive output', { outputs: { anything: { value: secret, type: 'string', sensitive: true } } }],
    ['an output by its name', { outputs: { db_password: { value: secret, type: 'string' } } }],
  ] as const) {
    it(`hide ${what}`, () => {
      assert.ok(!JSON.stringify(redactor.value(value)).includes(secret))
    })
  }

  it('are kept where they only name secrets', () => {
    const value = {
      Secrets: [{ SecretID: 'w5rmgwkm8qjm5tgr6nphc0dnq', SecretName: 'db_password', File: { Name: 'db_password' } }],
      Env: ['JWT_KID=b1f739fdd8dad9f1', 'PASSWORD_ENCRYPTION=scram-sha-256'],
      SandboxKey: '/var/run/docker/netns/ab12ab12ab12',
      kind: 'ConfigMap',
      data: { mode: 'fast' },
    }
    assert.deepEqual(redactor.value(value), value)
  })
})
