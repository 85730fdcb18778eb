/**
 * The rules of putting a certificate in hand into marathon-lb's environment: post it, or say what stands in the way.
 *
 * Pure. Each rule speaks or is silent (undefined). What follows the post is in watching.ts.
 */
import { gateOf } from '../certificates/authority.ts';
import { type CertificateBundle, objections } from '../certificates/bundle.ts';
import { contested, type Ledger, type Replacement, withReplacement } from '../certificates/ledger.ts';
import { type App, isSettled } from '../marathon/app.ts';
import { oversize } from '../marathon/size.ts';
import { fearsLabels, foretell, labelNotes } from './foretelling.ts';
import { breaksWindow, untilWindow } from './install-window.ts';
import { givenUp, isWorthKeeping, refusedBefore } from './restoring.ts';
import { holds, type Situation } from './situation.ts';
import { type Slot, slotObjection } from './slots.ts';
import { later, MINUTE, pace, SECOND, type Verdict } from './verdict.ts';
import { stuck } from './watching.ts';

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
    untilWindow(now) ??
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

function post(now: Situation, bundle: CertificateBundle, { slots, replacement }: Posting): Verdict {
  const { seen, policy } = now;
  const app = seen.loadBalancer.ok ? seen.loadBalancer.value : undefined;
  const [slot] = slots;
  const names = slots.map(({ name }) => name);
  const keep = app !== undefined && isWorthKeeping(app, policy);
  const again =
    replacement &&
    'what we posted is not there any more: somebody replaced it, or rolled our deployment back; it is posted once more';
  return {
    state: 'installing',
    why: [`${slot?.name} ${CONTENT[slot?.content.kind ?? 'empty']}`, again, breaksWindow(now), app && foretell(app).why]
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
  const why = 'before the certificate is posted, the labels of the other apps are looked at';
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

/** The gate: a PEM that HAProxy refuses is a total outage, so none leaves the house that has not passed. */
function forbidden({ policy, seen }: Situation, bundle: CertificateBundle, slot: Slot): Verdict | undefined {
  const state = 'not-installable';
  const againAt = later(seen.at, 5 * MINUTE);
  // Its own names: more than wanted go with the next certificate, and HTTPS for some of the wanted ones beats none.
  const bad = objections(bundle, { domains: bundle.domains, now: seen.at, ...gateOf(policy.directoryUrl) });
  if (bad.length > 0) return { state, why: bad.join('; '), cure: ANOTHER, againAt };
  const found = slotObjection(slot, bundle, seen.at);
  return found && { state, ...found, againAt };
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
    cure: `find who else writes ${name} of ${policy.loadBalancerId} (a second letsencrypt-dcos, a template, another operator) and stop one of the two`,
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
    why: `${bad.name} holds something HAProxy may refuse${faultOf(bad)}, and a redeploy would then close every marathon-lb`,
    cure: `repair or empty ${bad.name}`,
    againAt: later(seen.at, MINUTE),
  };
}

function faultOf({ content }: Slot): string {
  return content.kind === 'unreadable' ? ` (${content.problem})` : '';
}

function backingOff(now: Situation, { fingerprint }: CertificateBundle): Verdict | undefined {
  const refused = refusedBefore(now, fingerprint);
  return refused && { state: 'backing-off', why: refused.why, againAt: refused.until };
}
