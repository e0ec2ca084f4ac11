// A stand-in for the host's own API, so that the example runs anywhere: two containers behind a key.
import { createServer } from 'node:http'

const key = 'fleet-key-of-the-host'
const containers = [
  { id: 'c0ffee', name: 'web-1', image: 'shop:1.4', status: 'running', state: 'Up 2 hours' },
  { id: 'decade', name: 'db', image: 'postgres:15', status: 'running', state: 'Up 2 hours' },
]
const server = createServer((request, response) => {
  if (request.headers.authorization !== `Bearer ${key}`) return response.writeHead(401).end('wrong key')
  response
    .setHeader('content-type', 'application/json')
    .setHeader('connection', 'close')
    .end(JSON.stringify({ containers }))
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
server.unref()
process.env.FLEET_URL = `http://127.0.0.1:${server.address().port}`
process.env.FLEET_KEY = key
