/** What is said before the PUT: Marathon's arithmetic against its own vectors, the sentences, the labels of other apps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { App } from '../../src/marathon/app.ts';
import { foretell, ignition, labelNotes } from '../../src/plan/foretelling.ts';
import { loadBalancer, task } from '../support/observation.ts';

interface Vector {
  readonly instances: number;
  readonly minimumHealthCapacity: number;
  readonly maximumOverCapacity: number;
  readonly consideredHealthy: number;
  readonly currentInstances: number;
  readonly resident: boolean;
  readonly nrToKillImmediately: number;
  readonly maxCapacity: number;
  readonly needsSpareAgentForFixedHostPorts?: boolean;
}

const FILE = new URL('../fixtures/marathon/restart-strategy-vectors.json', import.meta.url);
const VECTORS = (JSON.parse(readFileSync(FILE, 'utf8')) as { vectors: readonly Vector[] }).vectors;
/** A load balancer with a persistent volume is none that we know of. */
const rolling = VECTORS.filter(({ resident }) => !resident);

test("the arithmetic is Marathon's, in every one of its vectors", () => {
  for (const vector of rolling) {
    const { consideredHealthy: healthy, currentInstances: current } = vector;
    const expected = { kill: vector.nrToKillImmediately, maxCapacity: vector.maxCapacity };
    assert.deepEqual(ignition({ ...vector, healthy, current }), expected, JSON.stringify(vector));
  }
  assert.ok(rolling.length >= 15, `${rolling.length} vectors`);
});

test('whether fixed ports need another agent is foretold as the vectors have it', () => {
  const told = rolling.filter(({ needsSpareAgentForFixedHostPorts: needs }) => needs !== undefined);
  for (const vector of told) {
    const { instances, minimumHealthCapacity, maximumOverCapacity, needsSpareAgentForFixedHostPorts } = vector;
    const upgradeStrategy = { minimumHealthCapacity, maximumOverCapacity };
    const { roll } = foretell(balancer({ instances, upgradeStrategy, tasks: tasks(vector.currentInstances) }));
    assert.equal(roll === 'needs-agent', needsSpareAgentForFixedHostPorts, JSON.stringify(vector));
  }
  assert.ok(told.length >= 8, `${told.length} vectors`);
});

function tasks(count: number, unhealthy = 0): App['tasks'] {
  return Array.from({ length: count }, (_, nth) => task(`lb.${nth}`, { alive: nth >= unhealthy }));
}

function balancer(differing: Partial<App>): App {
  const seen = loadBalancer(differing);
  assert.ok(seen.ok);
  return seen.value;
}

const strategy = (minimumHealthCapacity: number, maximumOverCapacity: number) => ({
  upgradeStrategy: { minimumHealthCapacity, maximumOverCapacity },
});
const one = { instances: 1, tasks: tasks(1) };
const two = { instances: 2, tasks: tasks(2) };
const SINGLE = { MARATHON_SINGLE_INSTANCE_APP: 'true' };

const STANDINGS: readonly (readonly [string, Partial<App>, string, RegExp, RegExp?])[] = [
  [
    'two, as shipped',
    { ...two, ...strategy(0.5, 0.2) },
    'gapless',
    /replaces the tasks of \/marathon-lb without a gap/,
  ],
  [
    'one, as the package has it: the new one needs the ports of the old one',
    { ...one, ...strategy(0.5, 0.2) },
    'needs-agent',
    /needs ports 80, 443: without one more agent of its role that has them free, the deployment waits for ever/,
    /^set "upgradeStrategy": \{"minimumHealthCapacity": 0, "maximumOverCapacity": 0\} .* on \/marathon-lb, or add a public agent$/,
  ],
  ['one, with ports that Marathon draws', { ...one, ...strategy(1, 1), fixedPorts: [] }, 'gapless', /without a gap/],
  [
    'two that must both stay healthy: a third agent, or another strategy',
    { ...two, ...strategy(1, 0) },
    'needs-agent',
    /needs ports 80, 443/,
    /"minimumHealthCapacity": 0\.5, "maximumOverCapacity": 0\} on/,
  ],
  [
    'one, killed first: a short gap, and how to have none',
    { ...one, ...strategy(0, 0) },
    'gap',
    /nothing is served by \/marathon-lb for some seconds/,
    /^to have none, run two instances of \/marathon-lb on two agents/,
  ],
  [
    'one that may be no more than one',
    { ...one, ...strategy(0, 0), labels: SINGLE },
    'gap',
    /for some seconds/,
    /remove the label MARATHON_SINGLE_INSTANCE_APP and run two/,
  ],
  ['two, killed first', { ...two, ...strategy(0, 1) }, 'gap', /for some seconds/, /"minimumHealthCapacity": 0\.5/],
  [
    'the only one is sick: neither ends nor starts one',
    { instances: 1, tasks: tasks(1, 1), ...strategy(0.5, 0.2) },
    'held-up',
    /lb\.0 is not healthy, and the upgradeStrategy leaves no room/,
    /see why lb\.0 is not healthy; or end it \(dcos marathon task kill lb\.0\)/,
  ],
  ['scaled to none', { instances: 0, tasks: [] }, 'idle', /has no task, so nothing is interrupted/],
  ['none is running', { instances: 2, tasks: [] }, 'idle', /has no task/],
];

for (const [name, differing, roll, why, cure] of STANDINGS) {
  test(`foretold: ${name}`, () => {
    const foretold = foretell(balancer(differing));
    assert.equal(foretold.roll, roll, foretold.why);
    assert.match(foretold.why, why);
    if (cure !== undefined) assert.match(foretold.cure ?? '', cure);
  });
}

const MAP = ['sse', '--haproxy-map', '--group', 'external'];
const GROUPED = [...MAP, '--group-https-by-vhost'];

const LABELS: readonly (readonly [
  string,
  Readonly<Record<string, string>>,
  RegExp | undefined,
  (readonly string[])?,
])[] = [
  ['all is well', { HAPROXY_0_VHOST: 'a.net,b.net', HAPROXY_0_PATH: '/x' }, undefined],
  [
    'a line break in a list of names',
    { HAPROXY_0_VHOST: 'a.net,\nb.net' },
    /^HAPROXY_0_VHOST of \/shop has a line break in it: .* --haproxy-map, it leaves out all apps .*: take the line break out of HAPROXY_0_VHOST of \/shop$/,
  ],
  [
    'a line break in a path of the second port',
    { HAPROXY_1_PATH: '/x\n' },
    /^HAPROXY_1_PATH of \/shop has a line break/,
  ],
  ['that port is not enabled', { HAPROXY_1_PATH: '/x\n', HAPROXY_1_ENABLED: 'false' }, undefined],
  ['a comma too many, which is harmless', { HAPROXY_0_VHOST: 'a.net,' }, undefined],
  ['a comma too many, with grouped HTTPS', { HAPROXY_0_VHOST: 'a.net,' }, /take the needless comma out of/, GROUPED],
  [
    'TLS to the backend without a word on its CA',
    { HAPROXY_0_BACKEND_SERVER_OPTIONS: '  server {serverName} {host_ipv4}:{port} ssl\n' },
    /HAPROXY_0_BACKEND_SERVER_OPTIONS of \/shop says ssl without a CA: .* add `verify none`/,
  ],
  [
    'TLS to the backend, told not to verify',
    { HAPROXY_0_BACKEND_SERVER_OPTIONS: '  server {serverName} {host_ipv4}:{port} ssl verify none\n' },
    undefined,
  ],
  ['labels of something else', { OTHER: 'a\nb', HAPROXY_GROUP: 'external' }, undefined],
];

for (const [name, labels, note, args = MAP] of LABELS) {
  test(`a neighbour's labels: ${name}`, () => {
    const notes = labelNotes(balancer({ args }), [{ id: '/shop', labels, isRunning: true }]);
    assert.equal(notes.length, note === undefined ? 0 : 1, notes.join('\n'));
    if (note !== undefined) assert.match(notes[0] ?? '', note);
  });
}

test('a neighbour without a task has no rules, so its labels hurt nobody', () => {
  const shop = { id: '/shop', labels: { HAPROXY_0_VHOST: 'a\nb' }, isRunning: false };
  assert.deepEqual(labelNotes(balancer({ args: MAP }), [shop]), []);
});
