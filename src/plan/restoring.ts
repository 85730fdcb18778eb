/**
 * The one case in which something is taken back: our PUT was followed by load balancers that do not start, and none is
 * left that serves.
 *
 * Pure. A deployment that merely hangs is never rolled back, for a rollback hangs the same way; but with every port
 * closed there is nothing to lose. What was served before is put back once, and the certificate is never posted again.
 */
import type { CertificateBundle } from '../certificates/bundle.ts';
import { mayShrinkAt, renewAt } from '../certificates/renewal.ts';
import type { KeyType } from '../certificates/spec.ts';
import { type App, isHealthy, isSettled } from '../marathon/app.ts';
import type { Observation, Policy } from './observation.ts';
import type { Situation } from './situation.ts';
import type { Slot } from './slots.ts';
import { type Action, earlier, later, MINUTE, SECOND, type Verdict } from './verdict.ts';

/** New tasks that have failed; one may have met a sick agent. */
const FAILED_ENOUGH = 2;
/** A PUT that Marathon refuses for good (rights, validation) is not repeated sooner: somebody has to change something. */
const REFUSED_PAUSE = 15 * MINUTE;

/** No load balancer serves since our certificate is in its environment: put back what was there, or say why not. */
export function restore(now: Situation): Verdict | undefined {
  const { seen, policy } = now;
  const slot = now.slots.find(({ name, content }) => isPostedByUs(name, content, seen));
  if (slot === undefined || !isDown(seen)) return undefined;
  const { kept } = seen.stored;
  const fingerprint = fingerprintIn(slot);
  const found = `no task of ${policy.loadBalancerId} is healthy, and ${seen.failedLaunches.length} new ones have failed since our certificate ${fingerprint} was put into ${slot.name}${lastWords(seen)}`;
  if (!policy.restore || kept?.fingerprint !== fingerprint) return byHand(now, slot, found);
  const slots = Object.keys(kept.values);
  const what = `what was in ${slots.join(', ')} before is put back, once`;
  const refused = refusedBefore(now, fingerprint);
  if (refused !== undefined)
    return { state: 'stuck', why: `${found}; ${what}: ${refused.why}`, againAt: refused.until };
  if (policy.pause) {
    const cure = `set PAUSE to false, and ${what}`;
    return {
      state: 'stuck',
      why: `${found}; PAUSE=true, so nothing is put back`,
      cure,
      againAt: later(seen.at, MINUTE),
    };
  }
  const action: Action = { kind: 'restore', fingerprint, slots };
  return { state: 'stuck', why: `${found}; ${what}`, actions: [action], againAt: later(seen.at, SECOND) };
}

/** Only while that deployment goes on: later there are other reasons for a load balancer to be down. */
function byHand({ seen, policy }: Situation, { name }: Slot, found: string): Verdict | undefined {
  if (!seen.loadBalancer.ok || seen.loadBalancer.value.deployments.length === 0) return undefined;
  const reason = policy.restore
    ? 'what was there before was not kept, because the state folder could not be written or no load balancer ran well then'
    : 'RESTORE=off, so nothing is put back';
  return {
    state: 'stuck',
    why: `${found}; ${reason}`,
    cure: `put back what ${name} held before, or empty it, with force (dcos marathon app update --force ${policy.loadBalancerId}); then see in the log of its failed tasks what HAProxy objects to`,
    againAt: later(seen.at, MINUTE),
  };
}

/**
 * It is there, and we put it there last: what anybody else has changed since is not ours to undo. Where the answer to our
 * PUT was lost, only what was kept before it tells.
 */
function isPostedByUs(name: string, content: Slot['content'], { stored: { ledger, kept } }: Observation): boolean {
  if (!('bundle' in content)) return false;
  const { fingerprint } = content.bundle;
  return ledger.posted[name] === fingerprint || (kept?.fingerprint === fingerprint && name in kept.values);
}

function fingerprintIn({ content }: Slot): string {
  return 'bundle' in content ? content.bundle.fingerprint : '';
}

function isDown({ loadBalancer, failedLaunches }: Observation): boolean {
  if (!loadBalancer.ok) return false;
  const app = loadBalancer.value;
  if (app.instances === 0 || failedLaunches.length < FAILED_ENOUGH) return false;
  return !app.tasks.some((task) => isHealthy(app, task));
}

function lastWords({ loadBalancer }: Observation): string {
  const failure = loadBalancer.ok ? loadBalancer.value.lastTaskFailure : undefined;
  return failure === undefined ? '' : ` (the last on ${failure.host}: ${failure.state} ${failure.message})`;
}

/** Whether what is served now is worth being put back: all is well with it. */
export function isWorthKeeping(app: App, { restore: isOn }: Policy): boolean {
  return isOn && app.hasHealthChecks && app.instances > 0 && isSettled(app);
}

/** The load balancers have come up with ours, or with something else since: what was there before is history. */
export function forgetting({ seen, policy }: Situation): readonly Action[] {
  const { kept, writable } = seen.stored;
  if (kept === undefined || !writable || !seen.loadBalancer.ok || !isSettled(seen.loadBalancer.value)) return [];
  // Not at once: a PUT whose answer was lost may still come through.
  return seen.at >= later(kept.at, policy.deploymentTimeoutMs) || isInPlace(seen, kept) ? [{ kind: 'forget' }] : [];
}

function isInPlace(seen: Observation, { fingerprint, values }: { fingerprint: string; values: object }): boolean {
  const { posted } = seen.stored.ledger;
  return Object.keys(values).every((slot) => posted[slot] === fingerprint);
}

/** Marathon did not take our last PUT about this certificate, be it to post it or to take it back: until when it is left alone. */
export function refusedBefore({ seen }: Situation, fingerprint: string): { why: string; until: Date } | undefined {
  const failed = seen.failedInstall;
  if (failed === undefined || failed.fingerprint !== fingerprint) return undefined;
  if (seen.loadBalancer.ok && seen.loadBalancer.value.version !== failed.loadBalancerVersion) return undefined;
  const wait = failed.retryable ? Math.min(SECOND * 2 ** failed.count, 5 * MINUTE) : REFUSED_PAUSE;
  const until = later(failed.at, wait);
  // One from the future tells of a clock that was wrong.
  return until <= seen.at || failed.at > seen.at
    ? undefined
    : { why: `${failed.problem}; next try ${until.toISOString()}`, until };
}

/** Each try with another one may close every load balancer for a while: twice in the last sixth of what serves meanwhile. */
const ANOTHER_AFTER = 1 / 12;

/** When the next certificate is ordered: sooner than usual where this one was refused, and what serves meanwhile ends. */
export function renewalAt({ bundle, serving, seen }: Situation): Date | undefined {
  if (bundle === undefined) return undefined;
  const usual = renewAt(bundle);
  if (serving === undefined || serving === bundle || !isBlocked(bundle, seen)) return usual;
  const [begins, ends] = [bundle.notBefore.getTime(), bundle.notAfter.getTime()];
  const needed = Math.max(mayShrinkAt(serving).getTime(), begins + (ends - begins) * ANOTHER_AFTER);
  return earlier(usual, new Date(needed));
}

/** HAProxy did not start with it once. It is not tried a second time, whatever has changed. */
export function givenUp(now: Situation, bundle: CertificateBundle): Verdict | undefined {
  const { seen, policy } = now;
  if (!isBlocked(bundle, seen)) return undefined;
  const { loadBalancerId: id } = policy;
  const next = renewalAt(now)?.toISOString();
  return {
    state: 'not-installable',
    why: `no task of ${id} became healthy with our certificate ${bundle.fingerprint}: what was served before was put back, and this one is never posted again`,
    cure: `see in the log of the tasks of ${id} that failed what HAProxy objects to (its key, or a setting of its own), and mend that; another certificate is ordered at once when KEY_TYPE is changed, else on ${next}`,
    againAt: later(seen.at, 5 * MINUTE),
  };
}

export function isBlocked({ fingerprint }: CertificateBundle, { stored }: Observation): boolean {
  return stored.ledger.blocked.includes(fingerprint);
}

/** HAProxy refused it, and the operator has asked for another kind of key since: it is as if there were none. */
export function isPassedOver(bundle: CertificateBundle, seen: Observation, { keyType }: Policy): boolean {
  return isBlocked(bundle, seen) && keyTypeOf(bundle) !== keyType;
}

const CURVES: Readonly<Record<string, KeyType>> = { prime256v1: 'ec256', secp384r1: 'ec384' };

function keyTypeOf({ certificates: [leaf] }: CertificateBundle): string | undefined {
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = leaf.publicKey;
  return kind === 'ec' ? CURVES[details?.namedCurve ?? ''] : `${kind}${details?.modulusLength ?? ''}`;
}
