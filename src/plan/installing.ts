/**
 * The rules from a certificate in hand to one seen on the wire: post, watch the deployment, prove.
 *
 * Pure. Each rule speaks or is silent (undefined); `prove` always speaks, for it is the last.
 */
import { gateOf } from '../certificates/authority.ts';
import { type CertificateBundle, objections } from '../certificates/bundle.ts';
import { contested, type Ledger, type Replacement, withReplacement } from '../certificates/ledger.ts';
import { renewAt } from '../certificates/renewal.ts';
import { type App, isSettled } from '../marathon/app.ts';
import { oversize } from '../marathon/size.ts';
import { fearsLabels, foretell, foretellWaiting, labelNotes } from './foretelling.ts';
import type { WireSeen } from './observation.ts';
import { givenUp, isWorthKeeping, refusedBefore } from './restoring.ts';
import { servedFinding, stuckFinding } from './sentences.ts';
import type { Situation } from './situation.ts';
import { type Slot, slotObjection } from './slots.ts';
import { HOUR, later, list, MINUTE, pace, SECOND, type Verdict } from './verdict.ts';

/** How often the wire is asked when all is well. */
const WIRE_EVERY = 6 * HOUR;

/** No variable is left for a certificate of ours: then none is ordered either. */
export function nowhere({ placement, seen }: Situation): Verdict | undefined {
  if (placement === undefined || placement.ok) return undefined;
  return { state: 'not-installable', why: placement.why, cure: placement.cure, againAt: later(seen.at, 5 * MINUTE) };
}

/** What we hold is not in marathon-lb's environment: post it, or say what stands in the way. */
export function install(now: Situation): Verdict | undefined {
  const { bundle, placement, seen } = now;
  if (bundle === undefined || !placement?.ok) return undefined;
  const { slot, stale } = placement;
  if (holds(slot, bundle, now)) return undefined;
  const replacement = replacementIn(slot, seen.stored.ledger, seen.at);
  return (
    givenUp(now, bundle) ??
    forbidden(now, bundle, slot) ??
    disputed(now, slot, replacement) ??
    tooLarge(now, bundle, [slot, ...stale]) ??
    behindDeployment(now) ??
    hazardous(now) ??
    backingOff(now, bundle) ??
    amongOthers(now) ??
    post(now, bundle, { slots: [slot, ...stale], replacement })
  );
}

interface Posting {
  readonly slots: readonly Slot[];
  readonly replacement: Replacement | undefined;
}

function post({ seen, policy }: Situation, bundle: CertificateBundle, { slots, replacement }: Posting): Verdict {
  const app = seen.loadBalancer.ok ? seen.loadBalancer.value : undefined;
  const [slot] = slots;
  const names = slots.map(({ name }) => name);
  const keep = app !== undefined && isWorthKeeping(app, policy);
  const again =
    replacement &&
    'what we posted is not there any more: somebody replaced it, or rolled our deployment back; it is posted once more';
  return {
    state: 'installing',
    why: [`${slot?.name} ${CONTENT[slot?.content.kind ?? 'empty']}`, again, app && foretell(app).why]
      .filter(Boolean)
      .join('; '),
    actions: [{ kind: 'install', bundle, slots: names, replacement, keep }],
    againAt: later(seen.at, SECOND),
  };
}

/** Marathon would take it, and no task could start. */
function tooLarge({ seen }: Situation, bundle: CertificateBundle, slots: readonly Slot[]): Verdict | undefined {
  if (!seen.loadBalancer.ok) return undefined;
  const changes = Object.fromEntries(slots.map(({ name }) => [name, bundle.pem]));
  const found = oversize(seen.loadBalancer.value, changes);
  return found && { state: 'not-installable', ...found, againAt: later(seen.at, 5 * MINUTE) };
}

/** The other apps' labels are looked at just before, for they are others' to change; what is found is told, no more. */
const NEIGHBOURS_FOR = 10 * MINUTE;

function amongOthers({ seen }: Situation): Verdict | undefined {
  if (!seen.loadBalancer.ok || !fearsLabels(seen.loadBalancer.value)) return undefined;
  if (seen.neighbours !== undefined && seen.at < later(seen.neighbours.at, NEIGHBOURS_FOR)) return undefined;
  const why = 'the labels of the other apps have not been looked at yet';
  return { state: 'installing', why, looks: ['neighbours'], againAt: later(seen.at, SECOND) };
}

/** What an operator may want to change before the certificate is posted, or while the deployment of it hangs. */
export function foretold(now: Situation): readonly string[] {
  const { bundle, placement, seen } = now;
  if (!placement?.ok || !seen.loadBalancer.ok) return [];
  const app = seen.loadBalancer.value;
  const isDue = bundle === undefined || !holds(placement.slot, bundle, now);
  const { roll, why, cure } = foretell(app);
  const isHard = isDue && app.deployments.length === 0 && (roll === 'needs-agent' || roll === 'held-up');
  return [
    ...(isHard ? [`before the certificate is posted: ${why}; ${cure}`] : []),
    ...(isDue || seen.unsettledSince !== undefined ? aboutOthers(app, seen) : []),
  ];
}

function aboutOthers(app: App, { neighbours }: Situation['seen']): readonly string[] {
  if (neighbours === undefined || !fearsLabels(app)) return [];
  if (neighbours.apps.ok) return labelNotes(app, neighbours.apps.value);
  return [`whether a label of another app keeps ${app.id} from starting well is not known: ${neighbours.apps.problem}`];
}

const CONTENT: Readonly<Record<Slot['content']['kind'], string>> = {
  empty: 'is empty',
  secret: 'is a secret reference',
  unreadable: 'cannot be read',
  'self-signed': 'holds a self-signed certificate',
  expired: 'holds an expired certificate',
  ours: 'holds another certificate of ours',
  foreign: 'holds a certificate of somebody else, who gives way to TAKE_OVER=true',
};

function holds(slot: Slot, bundle: CertificateBundle, { seen }: Situation): boolean {
  const value = seen.loadBalancer.ok ? seen.loadBalancer.value.env[slot.name] : undefined;
  return typeof value === 'string' && bundle.matches(value);
}

/** The gate: a PEM that HAProxy refuses is a total outage, so none leaves the house that has not passed. */
function forbidden({ policy, seen }: Situation, bundle: CertificateBundle, slot: Slot): Verdict | undefined {
  const state = 'not-installable';
  const againAt = later(seen.at, 5 * MINUTE);
  // Its own names: more than wanted go with the next certificate, and HTTPS for some of the wanted ones beats none.
  const bad = objections(bundle, { domains: bundle.domains, now: seen.at, ...gateOf(policy.directoryUrl) });
  if (bad.length > 0) return { state, why: bad.join('; '), cure: ANOTHER, againAt };
  const why = slotObjection(slot, bundle, seen.at);
  return why === undefined ? undefined : { state, why, againAt };
}

/** Such a one is never ordered or adopted: somebody has edited the file, or one of the two clocks is wrong. */
const ANOTHER =
  'see that the clock is right; if it is, take certificate.json out of the state folder, and another one is ordered';

/** What we last put into this slot is not there any more: somebody replaced it. */
function replacementIn({ name, content }: Slot, { posted, installed }: Ledger, at: Date): Replacement | undefined {
  const last = posted[name];
  if (last === undefined) return undefined;
  const found = 'bundle' in content ? installed.indexOf(content.bundle.fingerprint) : -1;
  // A later one of ours, too: of its PUT only the answer was lost.
  const isOurs = found >= 0 && found >= installed.indexOf(last);
  return isOurs ? undefined : { at, slot: name, fingerprint: last };
}

function disputed(
  { seen, policy }: Situation,
  { name }: Slot,
  replacement: Replacement | undefined,
): Verdict | undefined {
  if (replacement === undefined) return undefined;
  const until = contested(withReplacement(seen.stored.ledger, replacement), name, seen.at);
  if (until === undefined) return undefined;
  return {
    state: 'contested',
    why: `somebody else replaced our certificate in ${name} twice within a day; it is not posted again before ${until.toISOString()}`,
    cure: `find who else writes ${name} of ${policy.loadBalancerId} (a second keeper, a template, another operator) and stop one of the two`,
    againAt: until,
  };
}

/** Never on top of a running deployment: Marathon refuses it, and some versions then hurt the one that runs. */
function behindDeployment(now: Situation): Verdict | undefined {
  const { seen } = now;
  if (!seen.loadBalancer.ok || seen.loadBalancer.value.deployments.length === 0) return undefined;
  const { id, deployments } = seen.loadBalancer.value;
  const why = `waiting for deployment ${deployments.join(', ')} of ${id} to end before ours is posted`;
  return stuck(now) ?? { state: 'installing', why, againAt: pace(seen.unsettledSince, seen.at) };
}

/**
 * Our PUT restarts every load balancer, and each stays closed if HAProxy refuses one certificate of anybody's. Not unless
 * they are seen to run with it; while the first variable is empty they don't, for then marathon-lb skips the others.
 */
function hazardous({ slots, seen }: Situation): Verdict | undefined {
  const bad = slots.find(({ content }) => content.kind === 'unreadable');
  if (bad === undefined || !seen.loadBalancer.ok) return undefined;
  const { value } = seen.loadBalancer;
  if (value.hasHealthChecks && isSettled(value) && slots[0]?.content.kind !== 'empty') return undefined;
  return {
    state: 'not-installable',
    why: `${bad.name} holds something HAProxy may refuse, and a redeploy would then close every marathon-lb`,
    cure: `repair or empty ${bad.name}`,
    againAt: later(seen.at, MINUTE),
  };
}

function backingOff(now: Situation, { fingerprint }: CertificateBundle): Verdict | undefined {
  const refused = refusedBefore(now, fingerprint);
  return refused && { state: 'backing-off', why: refused.why, againAt: refused.until };
}

/** Our value is in the environment; Marathon makes the tasks run with it. */
export function watch(now: Situation): Verdict | undefined {
  const { seen } = now;
  if (!seen.loadBalancer.ok || (isSettled(seen.loadBalancer.value) && !isStillListed(now))) return undefined;
  const { id, deployments, instances } = seen.loadBalancer.value;
  const running = deployments.length > 0 ? deployments : [seen.ourDeployment].filter((one) => one !== undefined);
  const isCancelled = running.length === 0 && seen.loadBalancer.value.tasks.length > 0;
  const why =
    running.length > 0
      ? `deployment ${running.join(', ')} of ${id} is running`
      : `${id} has fewer than ${instances} current, healthy tasks`;
  const awaited = isCancelled ? withoutDeployment(id) : foretellWaiting(seen.loadBalancer.value);
  const told = awaited === undefined ? { why } : { ...awaited, why: `${why}; ${awaited.why}` };
  return stuck(now) ?? { state: 'deploying', ...told, againAt: pace(seen.unsettledSince, seen.at) };
}

/** Marathon is not about to change that: it ends a deployment only when all tasks are well, unless it is told to stop. */
function withoutDeployment(id: string) {
  return {
    why: 'and no deployment of it runs: somebody may have cancelled it, or a task is sick',
    cure: `unless it mends itself, restart it: dcos marathon app restart ${id}`,
  };
}

/** The list and the app both have to say that it is over; but old Marathons may list what has long ended. */
function isStillListed({ seen, policy }: Situation): boolean {
  const since = seen.unsettledSince ?? seen.at;
  return seen.ourDeployment !== undefined && seen.at < later(since, policy.deploymentTimeoutMs);
}

/** Past the deadline nothing is forced or rolled back, which would stick the same way: say why it does not end. */
function stuck({ seen, policy }: Situation): Verdict | undefined {
  const since = seen.unsettledSince;
  if (since === undefined || !seen.loadBalancer.ok || seen.at < later(since, policy.deploymentTimeoutMs))
    return undefined;
  const finding = stuckFinding(seen.loadBalancer.value, seen.queue);
  const looks = seen.queue === undefined ? (['queue'] as const) : [];
  return {
    state: 'stuck',
    ...finding,
    why: `since ${since.toISOString()}: ${finding.why}`,
    looks,
    againAt: later(seen.at, MINUTE),
  };
}

/** Marathon says done; what HAProxy serves is what counts. */
export function prove(now: Situation): Verdict {
  const { seen, bundle } = now;
  const next = wireDueAt(now);
  if (seen.wire === undefined || bundle === undefined || next <= seen.at) {
    return { state: 'unproven', why: 'the load balancers have not been asked yet', looks: ['wire'], againAt: seen.at };
  }
  const { looks } = seen.wire;
  const bad =
    looks.find(({ verdict }) => verdict.kind === 'other') ??
    looks.find(({ verdict }) => verdict.kind === 'unreachable');
  if (bad !== undefined) {
    const finding = servedFinding(bad, bundle.fingerprint);
    const others = looks.filter(({ verdict }) => verdict.kind !== 'served').length - 1;
    const why = finding.why + (others === 0 ? '' : ` (and ${others} more)`);
    return { state: bad.verdict.kind === 'other' ? 'not-served' : 'unproven', ...finding, why, againAt: next };
  }
  if (looks.length === 0) return { state: 'unproven', why: 'marathon-lb has no task that could serve', againAt: next };
  const where = [...new Set(looks.map(({ endpoint }) => endpoint))].join(', ');
  const why = `served by ${where} for ${list(issued(now.standings))}; renewal due ${renewAt(bundle).toISOString()}`;
  return { state: 'live', why, againAt: next };
}

/** After an install at once; then every 6 hours, or, while something is wrong, at the usual pace. */
function wireDueAt({ seen, bundle, standings }: Situation): Date {
  const { wire } = seen;
  if (wire === undefined || wire.expected !== bundle?.fingerprint) return seen.at;
  if (seen.loadBalancer.ok && isOtherThanAsked(seen.loadBalancer.value, wire)) return seen.at;
  const looked = new Set(wire.looks.map(({ domain }) => domain));
  if (wire.looks.length > 0 && !issued(standings).every((name) => looked.has(name))) return seen.at;
  return wire.failingSince === undefined ? later(wire.at, WIRE_EVERY) : pace(wire.failingSince, wire.at);
}

/** The wanted names that it can be asked for. */
function issued(standings: Situation['standings']): readonly string[] {
  return standings.flatMap(({ name, issued: isIssued }) => (isIssued ? name : []));
}

/** Deployed anew, or a task that crashed has a successor, which nobody has asked yet. */
function isOtherThanAsked({ version, tasks }: App, wire: WireSeen): boolean {
  const asked = new Set(wire.looks.map(({ taskId }) => taskId));
  return (
    wire.loadBalancerVersion !== version || tasks.some(({ id, state }) => state === 'TASK_RUNNING' && !asked.has(id))
  );
}
