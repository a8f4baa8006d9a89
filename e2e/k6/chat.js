// Users of a chat service for k6. Every message is followed to everyone who must get it: the run fails if one is lost,
// comes twice or in the wrong order.
//
//   k6 run -e VIBETALK_URL=http://127.0.0.1:8080 -e VIBETALK_SECRET=… -e USERS=200 -e RATE=20 -e DURATION=20 chat.js
//
// SHAPE=fan-out (the default): one channel that everyone reads. SHAPE=channels: groups of GROUP_SIZE, each user in four.
// RATE: messages a second of all users together. DURATION: of the sending, in s. CONNECT_RATE: users that sign in, a second.
// VIBETALK_SECRET: the HS256 key that the service takes tokens of. Its limits for a connection, a user and an address hold.
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import { WebSocket } from 'k6/websockets';

import { Oracle } from './oracle.js';
import { Service } from './service.js';

const number = (name, fallback) => Number(__ENV[name] || fallback);
const USERS = number('USERS', 200);
const RATE = number('RATE', 20);
const DURATION_MS = number('DURATION', 20) * 1000;
const CONNECT_RATE = number('CONNECT_RATE', 200);
const GROUP_SIZE = number('GROUP_SIZE', 20);
const GROUPS_OF_USER = 4;
const SHAPE = __ENV.SHAPE || 'fan-out';
const OFFICIAL = '1';
const CONTENT_BYTES = 200;
// Until everyone who signs in last is there.
const HEAD_START_MS = 3000;
// Until the last messages are stored; who comes back with one later is not waited for by the others.
const QUIET_MS = 2000;
// How long they may be on their way.
const PATIENCE_MS = 30000;
const LOOK_EVERY_MS = 500;
const OPEN = 1;

const connectMs = (USERS / CONNECT_RATE) * 1000;
const service = new Service(__ENV.VIBETALK_URL || 'http://127.0.0.1:8080', __ENV.VIBETALK_SECRET);

export const options = {
  scenarios: {
    users: {
      executor: 'per-vu-iterations',
      vus: USERS,
      iterations: 1,
      maxDuration: `${Math.ceil((connectMs + HEAD_START_MS + DURATION_MS + QUIET_MS + 2 * PATIENCE_MS) / 1000)}s`,
    },
  },
  setupTimeout: '10m',
  thresholds: {
    vibetalk_lost: ['count==0'],
    vibetalk_duplicated: ['count==0'],
    vibetalk_out_of_order: ['count==0'],
    vibetalk_unanswered: ['count==0'],
    vibetalk_received: ['count>0'],
    // Who has broken off has not looked.
    vibetalk_finished: [`count==${USERS}`],
  },
};

const counters = Object.fromEntries(
  ['sent', 'acked', 'received', 'lost', 'duplicated', 'out_of_order', 'unanswered', 'refused', 'reconnects', 'finished'].map(
    (name) => [name, new Counter(`vibetalk_${name}`)],
  ),
);
const delivery = new Trend('vibetalk_delivery', true);

export function setup() {
  if (SHAPE !== 'fan-out' && SHAPE !== 'channels') {
    throw new Error(`SHAPE=${SHAPE}: write fan-out or channels`);
  }
  if (SHAPE === 'channels' && GROUP_SIZE > USERS) {
    throw new Error(`a group of ${GROUP_SIZE} needs as many USERS`);
  }
  const run = Date.now().toString(36);
  const users = Array.from({ length: USERS }, (_, place) => `k6-${run}-${place}`);
  const channels = SHAPE === 'fan-out' ? users.map(() => [OFFICIAL]) : service.groups(users, GROUP_SIZE, GROUPS_OF_USER);
  return { users, channels, begin: Date.now() + connectMs + HEAD_START_MS };
}

export default function (data) {
  const place = exec.vu.idInTest - 1;
  const client = new Client(data.users[place], data.channels[place], data.begin);
  setTimeout(() => client.connect(), (place / CONNECT_RATE) * 1000);
  for (let at = place / RATE; at * 1000 < DURATION_MS; at += USERS / RATE) {
    setTimeout(() => client.say(), data.begin + at * 1000 - Date.now());
  }
  setTimeout(() => client.look(), data.begin + DURATION_MS + QUIET_MS - Date.now());
}

class Client {
  constructor(user, channels, begin) {
    Object.assign(this, { user, channels, giveUp: begin + DURATION_MS + PATIENCE_MS });
    this.token = service.token(user);
    this.oracle = new Oracle();
    this.unanswered = new Map();
    this.said = 0;
    this.ended = false;
  }

  connect() {
    this.ready = false;
    this.socket = new WebSocket(service.gateway);
    this.socket.onopen = () => this.tell({ op: 'identify', token: this.token, cursors: this.oracle.cursors() });
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onerror = (event) => console.warn(`${this.user}: ${event.error}`);
    this.socket.onclose = () => this.closed();
  }

  closed() {
    this.ready = false;
    clearInterval(this.heartbeat);
    if (!this.ended) {
      counters.reconnects.add(1);
      setTimeout(() => this.connect(), 500 + Math.random() * 1000);
    }
  }

  // What cannot be told now is told after the next sign-in, if it matters then.
  tell(frame) {
    if (this.socket.readyState === OPEN) {
      this.socket.send(JSON.stringify(frame));
    }
  }

  say() {
    const nonce = `${this.user}-${this.said}`;
    const channel = this.channels[this.said++ % this.channels.length];
    const content = `${Date.now()} ${nonce} `.padEnd(CONTENT_BYTES, 'x');
    const frame = { op: 'send', channel_id: channel, nonce, content };
    this.unanswered.set(nonce, frame);
    counters.sent.add(1);
    if (this.ready) {
      this.tell(frame);
    }
  }

  hear(frame) {
    switch (frame.op) {
      case 'hello':
        this.heartbeat = setInterval(() => this.tell({ op: 'heartbeat' }), frame.heartbeat_ms);
        break;
      case 'ready':
        this.ready = true;
        frame.channels.forEach((channel) => this.oracle.begins(channel.id, channel.head));
        this.unanswered.forEach((unanswered) => this.tell(unanswered));
        break;
      case 'ack':
        counters.acked.add(this.unanswered.delete(frame.nonce) ? 1 : 0);
        break;
      case 'event':
        this.happened(frame);
        break;
      case 'reconnect':
        setTimeout(() => this.socket.close(), frame.delay_ms);
        break;
      case 'error':
        this.refused(frame);
        break;
    }
  }

  happened(event) {
    const entry = event.message || event;
    if (event.type === 'channel_create') {
      this.oracle.begins(event.channel.id, event.channel.head);
    } else if (event.type !== 'read' && entry.position !== undefined) {
      this.oracle.entry(entry.channel_id, entry.position);
    }
    if (event.type === 'message_create') {
      counters.received.add(1);
      delivery.add(Math.max(0, Date.now() - Number(entry.content.split(' ', 1)[0])));
    }
  }

  refused({ code, message, nonce, retry_after_ms: wait }) {
    counters.refused.add(1);
    console.warn(`${this.user}: ${code}: ${message}`);
    if (wait !== undefined && this.unanswered.has(nonce)) {
      setTimeout(() => this.repeat(nonce), wait);
    }
  }

  repeat(nonce) {
    if (this.ready && this.unanswered.has(nonce)) {
      this.tell(this.unanswered.get(nonce));
    }
  }

  // Whether all is here that the service has; again until it is, or for too long.
  look() {
    const missing = this.channels.reduce(
      (sum, channel) => sum + this.oracle.missing(channel, service.head(this.token, channel)),
      0,
    );
    const late = Date.now() > this.giveUp;
    if (!late && (missing > 0 || this.unanswered.size > 0)) {
      setTimeout(() => this.look(), LOOK_EVERY_MS);
      return;
    }
    counters.lost.add(missing);
    counters.duplicated.add(this.oracle.duplicated);
    counters.out_of_order.add(this.oracle.outOfOrder);
    counters.unanswered.add(this.unanswered.size);
    counters.finished.add(1);
    this.ended = true;
    this.socket.close();
  }
}
