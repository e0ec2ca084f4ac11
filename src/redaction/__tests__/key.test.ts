/** Which names say that their value is a secret. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isSecretKey } from '../key.js'

describe('keys', () => {
  const SECRET = [
    'password',
    'DB_PASSWORD',
    'dbPassword',
    'db-password',
    'apiKey',
    'API_KEY',
    'APIKey',
    'api.key',
    'apikey',
  ]
  const MORE = ['x-registry-auth', 'Authorization', 'accessToken', 'AWS_SECRET_ACCESS_KEY', 'clientSecret', 'secrets']
  const LONG = [
    `${'a_'.repeat(200)}password`,
    'identitytoken',
    'Set-Cookie',
    'privateKey',
    'sessionKey',
    'pwd',
    'jwt',
    'otp',
  ]
  for (const key of [...SECRET, ...MORE, ...LONG]) {
    it(`${key.slice(-40)} names a secret`, () => assert.equal(isSecretKey(key), true))
  }
  const PLAIN = [
    '',
    'user',
    'TOKEN_URL',
    'max_tokens',
    'tokenCount',
    'password_file',
    'secretName',
    'PWD',
    'key',
    'keys',
  ]
  const WORDS = [
    'monkey',
    'passenger',
    'author',
    'tokenizer',
    'cookies',
    'public_key_id',
    'compass',
    'path',
    '___',
    'privateKeyPath',
  ]
  for (const key of [...PLAIN, ...WORDS]) {
    it(`${JSON.stringify(key)} does not`, () => assert.equal(isSecretKey(key), false))
  }
})
