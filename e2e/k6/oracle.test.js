// Whether the oracle sees what must not happen.
import exec from 'k6/execution';

import { Oracle } from './oracle.js';

// What comes of a channel that begins behind 4 and ends with 8, and what the oracle says of it.
const TABLE = [
  { come: [5, 6, 7, 8], missing: 0, duplicated: 0, outOfOrder: 0 },
  { come: [5, 7, 8], missing: 1, duplicated: 0, outOfOrder: 0 },
  { come: [5, 6], missing: 2, duplicated: 0, outOfOrder: 0 },
  { come: [], missing: 4, duplicated: 0, outOfOrder: 0 },
  { come: [5, 6, 6, 7, 8], missing: 0, duplicated: 1, outOfOrder: 0 },
  { come: [5, 7, 6, 8], missing: 0, duplicated: 0, outOfOrder: 1 },
  { come: [8, 5, 6, 7, 7], missing: 0, duplicated: 1, outOfOrder: 3 },
];

export default function () {
  for (const { come, ...expected } of TABLE) {
    const oracle = new Oracle();
    oracle.begins('1', '4');
    come.forEach((position) => oracle.entry('1', String(position)));
    const { duplicated, outOfOrder } = oracle;
    const found = { missing: oracle.missing('1', 8), duplicated, outOfOrder };
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      exec.test.abort(`of ${come} the oracle says ${JSON.stringify(found)}`);
    }
  }
}
