/** A provider client that remembers what it was asked and answers from a value, a function or a rejection. */

/**
 * @param {unknown} answer a value to resolve with, an Error to reject with, or a function of the request
 */
export function recordingClient(answer) {
  const requests = []
  return {
    requests,
    async request(method, path, body, options) {
      requests.push({ method, path, body, options })
      const given = typeof answer === 'function' ? await answer({ method, path, body, options }) : answer
      if (given instanceof Error) throw given
      return given
    },
  }
}

/** A client that neither answers nor looks at its signal. */
export const silentClient = () => recordingClient(() => new Promise(() => {}))

/** An error as HTTP clients make it. */
export const upstream = (message, fields) => Object.assign(new Error(message), fields)
