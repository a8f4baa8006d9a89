// What one client must see: the entries of each channel once, in the order of their positions, none left out.

// Positions that are waited for in one channel, at most; more count as lost, whether they come or not.
const MISSING_MAX = 10000;

export class Oracle {
  constructor() {
    this.channels = new Map();
    this.duplicated = 0;
    this.outOfOrder = 0;
  }

  // A channel's entries come from behind this position; a channel that is known goes on where it was.
  begins(channel, head) {
    if (!this.channels.has(channel)) {
      this.channels.set(channel, { last: Number(head), missing: new Set(), lost: 0 });
    }
  }

  // An entry has come.
  entry(channel, text) {
    const position = Number(text);
    this.begins(channel, position - 1);
    const seen = this.channels.get(channel);
    if (position > seen.last) {
      const until = Math.min(position, seen.last + 1 + MISSING_MAX - seen.missing.size);
      for (let at = seen.last + 1; at < until; at++) {
        seen.missing.add(at);
      }
      seen.lost += position - until;
      seen.last = position;
    } else if (seen.missing.delete(position)) {
      this.outOfOrder++;
    } else {
      this.duplicated++;
    }
  }

  // How many entries of a channel have not come, of all up to its head.
  missing(channel, head) {
    const { last, missing, lost } = this.channels.get(channel) || { last: 0, missing: new Set(), lost: 0 };
    return missing.size + lost + Math.max(0, head - last);
  }

  // What a client says that comes back.
  cursors() {
    return Object.fromEntries([...this.channels].map(([channel, { last }]) => [channel, String(last)]));
  }
}
