/** `require_signature`, as the skill itself keeps it: what it asks, and that nothing runs without a yes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { execute } from 'skillgate/skills/docker-run'
import { IMAGE, recordingClient } from './fixture.js'

describe('an image whose signature the policy requires', () => {
  const constraints = { images: [IMAGE], require_signature: true }
  const ANSWERS = [
    ['is signed', async () => true, undefined],
    ['is not signed', async () => false, /Register it with signature and public_key_id/],
    ['is said to be signed by something else than true', async () => 'yes', /Register it/],
    ['nobody can tell about', undefined, /needs a gate/],
  ]
  for (const [what, isSigned, refusal] of ANSWERS) {
    it(`and that ${what}`, async () => {
      const providerClient = recordingClient()
      const { metadata } = await execute({ image: IMAGE }, { providerClient, constraints, isSigned })
      assert.equal(metadata.success, refusal === undefined, metadata.error?.message)
      if (refusal !== undefined) {
        assert.equal(metadata.error.code, 'SIGNATURE_INVALID')
        assert.match(metadata.error.message, refusal)
      }
      assert.equal(providerClient.requests.length, refusal === undefined ? 1 : 0)
    })
  }

  it('and the answer does not come', async () => {
    const providerClient = recordingClient()
    const isSigned = () => Promise.reject(new Error('no registry'))
    const { metadata } = await execute({ image: IMAGE }, { providerClient, constraints, isSigned })
    assert.equal(metadata.error.code, 'UPSTREAM_ERROR')
    assert.equal(providerClient.requests.length, 0)
  })

  it('is asked for in normal form, and not at all when the policy requires none', async () => {
    const asked = []
    const isSigned = async (reference) => asked.push(reference) > 0
    const providerClient = recordingClient()
    await execute({ image: `docker.io/library/${IMAGE}` }, { providerClient, constraints, isSigned })
    await execute({ image: IMAGE }, { providerClient, constraints: { images: [IMAGE] }, isSigned })
    assert.deepEqual(asked, [IMAGE])
  })

  it('does not start when the host cancelled while the signature was looked at', async () => {
    const providerClient = recordingClient()
    const controller = new AbortController()
    const isSigned = async () => {
      controller.abort()
      return true
    }
    const context = { providerClient, constraints, isSigned, signal: controller.signal }
    const { metadata } = await execute({ image: IMAGE }, context)
    assert.equal(metadata.error.code, 'ABORTED')
    assert.equal(metadata.error.details.in_progress, undefined)
    assert.equal(providerClient.requests.length, 0)
  })
})
