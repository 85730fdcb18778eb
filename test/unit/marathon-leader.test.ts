/** Who orders, when an upgrade or `instances: 2` runs several of us. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readApp } from '../../src/marathon/app.ts';
import { leaderOf } from '../../src/marathon/leader.ts';

const OLD = '2021-05-01T10:00:00.000Z';
const NEW = '2021-05-02T11:22:33.444Z';

/** id, version, minute of its start (none: not started), what its health check says (none: no result), since when. */
type Row = [
  id: string,
  version: string,
  startMinute?: number | undefined,
  alive?: boolean | undefined,
  passedMinute?: number,
];

const at = (minute: number): string => new Date(Date.UTC(2021, 4, 2, 12, minute)).toISOString();

function leader(rows: readonly Row[], options: { healthChecks?: boolean } = {}) {
  const tasks = rows.map(([id, version, minute, alive, passed]) => ({
    id,
    version,
    host: '10.0.0.1',
    state: minute === undefined ? 'TASK_STAGING' : 'TASK_RUNNING',
    startedAt: minute === undefined ? null : at(minute),
    healthCheckResults:
      alive === undefined ? [] : [{ alive, ...(passed !== undefined && { firstSuccess: at(passed) }) }],
  }));
  const healthChecks = options.healthChecks === false ? [] : [{ protocol: 'HTTP' }];
  const versionInfo = { lastConfigChangeAt: NEW };
  return leaderOf(readApp({ app: { id: '/us', version: NEW, versionInfo, healthChecks, tasks } }))?.id;
}

const rows: { name: string; tasks: Row[]; healthChecks?: boolean; leads: string | undefined }[] = [
  { name: 'alone and healthy: leads', tasks: [['a', NEW, 1, true]], leads: 'a' },
  { name: 'alone, no health result yet: nobody leads', tasks: [['a', NEW, 1]], leads: undefined },
  { name: 'alone, no health checks in the app: leads', tasks: [['a', NEW, 1]], healthChecks: false, leads: 'a' },
  {
    name: 'two instances: the one that started first',
    tasks: [
      ['a', NEW, 2, true],
      ['b', NEW, 1, true],
    ],
    leads: 'b',
  },
  {
    name: 'the second to start was the first to be healthy: it keeps what it has begun',
    tasks: [
      ['a', NEW, 1, true, 4],
      ['b', NEW, 2, true, 3],
    ],
    leads: 'b',
  },
  {
    name: 'started at the same time: the smaller id',
    tasks: [
      ['b', NEW, 1, true],
      ['a', NEW, 1, true],
    ],
    leads: 'a',
  },
  {
    name: 'upgrade, the new one not healthy yet: the old one',
    tasks: [
      ['old', OLD, 1, true],
      ['new', NEW, 2],
    ],
    leads: 'old',
  },
  {
    name: 'upgrade, the new one healthy: the new one',
    tasks: [
      ['old', OLD, 1, true],
      ['new', NEW, 2, true],
    ],
    leads: 'new',
  },
  {
    name: 'upgrade of two: the oldest healthy one',
    tasks: [
      ['b', OLD, 2, true],
      ['a', OLD, 3, true],
      ['c', OLD, 1, false],
    ],
    leads: 'b',
  },
  { name: 'a task in staging never leads', tasks: [['a', NEW]], healthChecks: false, leads: undefined },
  {
    name: 'the first became unhealthy: the second takes over',
    tasks: [
      ['a', NEW, 1, false],
      ['b', NEW, 2, true],
    ],
    leads: 'b',
  },
];

for (const { name, tasks, leads, ...options } of rows) {
  test(name, () => assert.equal(leader(tasks, options), leads));
}

test('all agree, in whatever order Marathon lists the tasks', () => {
  const tasks: Row[] = [
    ['c', NEW, 1, true],
    ['a', NEW, 1, true],
    ['b', NEW, 1, true],
  ];
  assert.equal(leader(tasks), leader([...tasks].reverse()));
});
