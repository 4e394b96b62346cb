// Node and ws: events of the stream taken apart by hand, one frame a delta.
'use strict'
const http = require('http')
const crypto = require('crypto')
const { WebSocketServer } = require('/usr/share/nodejs/ws')

const upstream = new URL(process.env.UPSTREAM + '/responses')
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 2048, noDelay: true })

class Session {
  constructor(socket) {
    this.socket = socket
    this.id = crypto.randomBytes(8).toString('hex')
    this.seq = 0
  }
  ready() {
    this.socket.send(JSON.stringify({
      type: 'ready', session: this.id, epoch: '1', seq: 0, resume_token: 'none', expires_in_s: 60,
      recovered: false, limits: {}, heartbeat_s: 25,
    }))
  }
  event(type, fields) {
    this.socket.send(JSON.stringify({ type, seq: ++this.seq, ...fields }))
  }
}

function relay(session, message) {
  const response = 'r_' + crypto.randomBytes(8).toString('hex')
  session.event('message', { id: message.id, input: message.input })
  session.event('response', { response, message: message.id, model: '', status: 'in_progress' })
  let text = ''
  let status = 'failed'
  let rest = ''
  const options = message.options || {}
  const body = JSON.stringify({
    model: options.model || 'sim', input: message.input, stream: true, metadata: options.metadata || {},
  })
  const request = http.request(upstream, {
    agent, method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  }, (stream) => {
    stream.setEncoding('utf8')
    stream.on('data', (piece) => {
      const lines = (rest + piece).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        if (!line.startsWith('data: {')) continue
        const event = JSON.parse(line.slice(6))
        switch (event.type) {
          case 'response.output_text.delta':
            text += event.delta
            session.event('delta', { response, index: event.output_index, kind: 'text', text: event.delta })
            break
          case 'response.completed': case 'response.incomplete': case 'response.failed':
            status = event.type.slice(9)
        }
      }
    })
    const end = () => {
      session.running.delete(request)
      const bytes = Buffer.from(text)
      session.event('complete', {
        response, message: message.id, status, text_bytes: bytes.length,
        text_sha256: crypto.createHash('sha256').update(bytes).digest('hex'),
      })
    }
    stream.on('end', end)
    stream.on('error', () => {})
  })
  request.on('error', () => {})
  session.running.add(request)
  request.end(body)
}

const server = http.createServer({ noDelay: true })
const sockets = new WebSocketServer({
  server, perMessageDeflate: false, handleProtocols: () => 'millrace.v1',
})
sockets.on('connection', (socket) => {
  const session = new Session(socket)
  session.running = new Set()
  socket.on('message', (data) => {
    for (const line of data.toString().split('\n')) {
      const frame = JSON.parse(line)
      if (frame.type === 'hello') session.ready()
      else if (frame.type === 'message') relay(session, frame)
    }
  })
  socket.on('close', () => { for (const request of session.running) request.destroy() })
})
server.listen(0, '127.0.0.1', 1024, () => console.log(`node on http://127.0.0.1:${server.address().port}`))
