// The service apart from its WebSocket: tokens, groups, and what is stored.
import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import http from 'k6/http';
import { sleep } from 'k6';

const TOKEN_LIFE_S = 24 * 3600;
const ANSWERED_WITHIN = '30s';
const TRIES_MAX = 60;
const AT_ONCE = 20;

export class Service {
  constructor(url, secret) {
    if (!secret) {
      throw new Error('VIBETALK_SECRET is not set: the HS256 key that the service takes tokens of');
    }
    this.api = `${url.replace(/\/+$/, '')}/api/v1`;
    this.gateway = `${url.replace(/\/+$/, '').replace(/^http/, 'ws')}/gateway`;
    this.secret = secret;
  }

  // A JSON Web Token for a user, as a sign-in service would issue it.
  token(user) {
    const part = (value) => encoding.b64encode(JSON.stringify(value), 'rawurl');
    const exp = Math.floor(Date.now() / 1000) + TOKEN_LIFE_S;
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, name: user, exp })}`;
    return `${signed}.${crypto.hmac('sha256', this.secret, signed, 'base64rawurl')}`;
  }

  // The position of the last message of a channel, as the store has it.
  head(token, channel) {
    const [newest] = this.ask('GET', `channels/${channel}/messages?limit=1`, token).messages;
    return newest ? Number(newest.position) : 0;
  }

  // Groups of so many, each user in so many; the ids of each user's channels.
  groups(users, size, each) {
    const requests = users.map((user) => ['GET', `${this.api}/users/@me`, null, this.params(this.token(user))]);
    for (let at = 0; at < requests.length; at += AT_ONCE) {
      // Only who has signed in once can be added to a group.
      http.batch(requests.slice(at, at + AT_ONCE));
    }
    const channels = users.map(() => []);
    for (let first = 0; first + size <= users.length * each; first += size) {
      const members = Array.from({ length: size }, (_, place) => (first + place) % users.length);
      const channel = this.group(members.map((member) => users[member]));
      members.forEach((member) => channels[member].push(channel));
    }
    return channels;
  }

  // The id of the channel of a new group.
  group([owner, ...others]) {
    const token = this.token(owner);
    const { id } = this.ask('POST', 'groups', token, { name: 'Load' });
    others.forEach((user) => this.ask('PUT', `groups/${id}/members/${user}`, token, { role: 'member' }));
    return this.ask('GET', `groups/${id}/channels`, token).channels[0].id;
  }

  // Asks for something, again when the service says when.
  ask(method, path, token, body) {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const text = body ? JSON.stringify(body) : null;
      const answer = http.request(method, `${this.api}/${path}`, text, this.params(token));
      if (answer.status >= 200 && answer.status < 300) {
        return answer.json();
      }
      if (answer.status !== 429 && answer.status !== 503) {
        throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body}`);
      }
      const { retry_after_ms: wait } = answer.json() || {};
      sleep((wait || 1000) / 1000);
    }
    throw new Error(`${method} ${path}: put off too often`);
  }

  params(token) {
    return {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      timeout: ANSWERED_WITHIN,
      // Not one series of measurements for every channel.
      tags: { name: 'api' },
    };
  }
}
