/**
 * What our PUT will do to marathon-lb, said before it is sent: whether Marathon can replace the tasks, at what cost, and
 * whether a fresh start trips over a label of another app.
 *
 * Pure. It foretells and does not forbid: the operator may know of an agent that we do not see. The arithmetic is that of
 * Marathon's TaskReplaceActor (ignitionStrategy), as 1.10 and later count: only healthy tasks.
 */
import { type App, isCurrent, isHealthy } from '../marathon/app.ts';
import type { Neighbour } from '../marathon/client.ts';
import type { Finding } from './sentences.ts';
import { list } from './verdict.ts';

/** How many tasks of the old configuration end at once, and how many tasks there may be in all. */
export interface Ignition {
  readonly kill: number;
  readonly maxCapacity: number;
}

export interface Standing {
  readonly instances: number;
  readonly minimumHealthCapacity: number;
  readonly maximumOverCapacity: number;
  readonly healthy: number;
  readonly current: number;
}

export function ignition(standing: Standing): Ignition {
  const { instances, healthy, current } = standing;
  const minHealthy = Math.ceil(instances * standing.minimumHealthCapacity);
  const room = Math.trunc(instances * (1 + standing.maximumOverCapacity));
  const isTight = minHealthy === room && room <= healthy;
  const spare = Math.max(0, healthy - minHealthy);
  return {
    kill: instances < current ? Math.max(current - instances, spare) : spare,
    maxCapacity: isTight ? room + 1 : room,
  };
}

export type Roll =
  /** Nothing runs, so nothing is interrupted. */
  | 'idle'
  | 'gapless'
  /** Every task that serves ends before a new one does. */
  | 'gap'
  /** A new task has to start beside the old ones, and their ports are taken. */
  | 'needs-agent'
  /** Neither may an old task end nor a new one start. */
  | 'held-up';

export interface Foretold extends Finding {
  readonly roll: Roll;
}

/** What a change of its environment will do to this load balancer. */
export function foretell(app: App): Foretold {
  const roll = rollOf(app);
  return { roll, ...SENTENCES[roll](app) };
}

function rollOf(app: App): Roll {
  const { instances, fixedPorts, tasks, upgradeStrategy } = app;
  const healthy = tasks.filter((task) => isHealthy(app, task)).length;
  const current = tasks.length;
  if (instances === 0 || current === 0) return 'idle';
  const { kill, maxCapacity } = ignition({ instances, ...upgradeStrategy, healthy, current });
  if (kill > 0) return kill >= healthy ? 'gap' : 'gapless';
  if (maxCapacity - current <= 0) return 'held-up';
  return fixedPorts.length > 0 ? 'needs-agent' : 'gapless';
}

const SENTENCES: Readonly<Record<Roll, (app: App) => Finding>> = {
  idle: ({ id }) => ({ why: `${id} has no task, so nothing is interrupted` }),
  gapless: ({ id }) => ({ why: `Marathon replaces the tasks of ${id} without a gap` }),
  gap: (app) => ({
    why: `nothing is served by ${app.id} for some seconds, because its upgradeStrategy lets every task end before a new one runs`,
    cure: withoutGap(app),
  }),
  'needs-agent': (app) => ({
    why: `Marathon starts a new task of ${app.id} before an old one ends, and it needs ${ports(app)}: without one more agent of its role that has them free, the deployment waits for ever and the old certificate stays`,
    cure: `set ${strategyFor(app)} on ${app.id}, or add a public agent`,
  }),
  'held-up': (app) => ({
    why: `Marathon can neither end nor start a task of ${app.id}: ${sick(app)} is not healthy, and the upgradeStrategy leaves no room for another`,
    cure: `see why ${sick(app)} is not healthy; or end it (dcos marathon task kill ${sick(app)}), and Marathon goes on`,
  }),
};

function sick(app: App): string {
  return app.tasks.find((task) => !isHealthy(app, task))?.id ?? 'a task';
}

function ports({ fixedPorts }: App): string {
  return `${fixedPorts.length === 1 ? 'port' : 'ports'} ${list(fixedPorts.map(String))}`;
}

/** Marathon refuses every other strategy of an app with this label, and a second instance. */
function isSingle({ labels }: App): boolean {
  return labels.MARATHON_SINGLE_INSTANCE_APP === 'true';
}

function withoutGap(app: App): string {
  if (app.instances > 1) return `set ${strategyFor(app)} on ${app.id}`;
  const label = isSingle(app) ? 'remove the label MARATHON_SINGLE_INSTANCE_APP and ' : '';
  return `to have none, ${label}run two instances of ${app.id} on two agents with "minimumHealthCapacity": 0.5`;
}

function strategyFor({ instances }: App): string {
  return instances > 1
    ? '"upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}'
    : '"upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0} (which costs a gap of some seconds)';
}

/** While it deploys and has no new task yet: what Marathon may be waiting for. */
export function foretellWaiting(app: App): Foretold | undefined {
  if (app.tasks.some((task) => isCurrent(app, task))) return undefined;
  const foretold = foretell(app);
  return foretold.roll === 'needs-agent' || foretold.roll === 'held-up' ? foretold : undefined;
}

/**
 * Whether a label of another app can hurt this load balancer when it starts anew. marathon-lb leaves out an app that HAProxy
 * refuses; but with --haproxy-map and no map file yet, which is every fresh container, it then leaves out all of them
 * (marathon_lb.py, make_config_valid_and_regenerate).
 */
export function fearsLabels({ args }: App): boolean {
  return args.includes('--haproxy-map');
}

/** A sentence for each label for which HAProxy refuses an app that this load balancer serves. */
export function labelNotes(app: App, neighbours: readonly Neighbour[]): readonly string[] {
  const grouped = app.args.includes('--group-https-by-vhost');
  return neighbours.flatMap(({ id, labels, isRunning }) =>
    isRunning ? invalidLabels(labels, grouped).map((found) => labelNote(app.id, id, found)) : [],
  );
}

interface Invalid {
  readonly label: string;
  readonly fault: string;
  readonly cure: string;
}

function labelNote(loadBalancer: string, id: string, { label, fault, cure }: Invalid): string {
  return `${label} of ${id} ${fault}: HAProxy refuses that app, and because ${loadBalancer} runs with --haproxy-map, it leaves out all apps whenever it is started anew, as it is for every certificate: ${cure} ${label} of ${id}`;
}

function invalidLabels(labels: Readonly<Record<string, string>>, grouped: boolean): readonly Invalid[] {
  return Object.entries(labels).flatMap(([label, value]): readonly Invalid[] => {
    const [, n = '', name = ''] = /^HAPROXY_(\d+)_(.+)$/.exec(label) ?? [];
    if (n === '' || labels[`HAPROXY_${n}_ENABLED`]?.toLowerCase() === 'false') return [];
    const fault = faultIn(name, value, grouped);
    return fault === undefined ? [] : [{ label, ...fault }];
  });
}

function faultIn(name: string, value: string, grouped: boolean): Pick<Invalid, 'fault' | 'cure'> | undefined {
  const isList = name === 'VHOST';
  if ((isList || name === 'PATH') && /[\r\n]/.test(value)) {
    return { fault: 'has a line break in it', cure: 'take the line break out of' };
  }
  if (isList && grouped && value.split(',').some((host) => host.trim() === '')) {
    return { fault: 'has an empty name in its list', cure: 'take the needless comma out of' };
  }
  if (name === 'BACKEND_SERVER_OPTIONS' && /\sssl(\s|$)/.test(value) && !/\bverify none\b|\bca-file\b/.test(value)) {
    return { fault: 'says ssl without a CA', cure: 'add `verify none`, or `ca-file` with a file that is there, to' };
  }
  return undefined;
}
