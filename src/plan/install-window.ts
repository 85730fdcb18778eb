/**
 * Whether a certificate that is ready may be posted now, by INSTALL_WINDOW.
 *
 * Pure. A redeploy can wait only while there is something good to wait with: the slot holds a valid certificate of ours for
 * every name, it is served, and its end is not near. All else is urgent, and breaks the window.
 */
import { isStagingIssuer } from '../certificates/authority.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { lastCallAt } from '../certificates/renewal.ts';
import { closingAsText, isOpen, nextOpening, type Opening, openingAsText } from '../install-window/opening.ts';
import { holds, type Situation } from './situation.ts';
import { earlier, later, list, MINUTE, type Verdict } from './verdict.ts';
import { prove, watch } from './watching.ts';

/** The window as it is now, for people. */
export interface WindowSeen {
  /** The setting. */
  readonly text: string;
  readonly isOpen: boolean;
  /** Now, if it is open. */
  readonly opens: Date;
  /** Undefined: never. */
  readonly closes: Date | undefined;
  /** "closed, opens Sat 28 Nov 02:00–05:00 UTC". */
  readonly says: string;
  /** Whether a certificate waits for it. */
  readonly awaited: boolean;
}

/** Undefined: there is none, or it is open. */
type Closed = { readonly opening: Opening; readonly says: string } & (
  | { readonly urgent: string }
  /** What is served well meanwhile. */
  | { readonly urgent: undefined; readonly serving: CertificateBundle }
);

/** What another look at a load balancer may find mended is not urgent yet. */
const WRONG_FOR = 10 * MINUTE;

export function windowSeen({ seen, policy }: Situation, { toBeServed }: Verdict): WindowSeen | undefined {
  const { installWindow: window } = policy;
  if (window === undefined) return undefined;
  const opening = nextOpening(window, seen.at);
  const isOpenNow = opening.opens <= seen.at;
  const says = isOpenNow ? closingAsText(window, opening) : `closed, opens ${openingAsText(window, opening)}`;
  return { text: window.text, isOpen: isOpenNow, ...opening, says, awaited: toBeServed !== undefined };
}

/** Outside the window it waits, and what is served is watched and proven as ever. */
export function untilWindow(now: Situation): Verdict | undefined {
  const found = closed(now);
  if (found === undefined || found.urgent !== undefined) return undefined;
  const { serving, says, opening } = found;
  const meanwhile = { ...(watch(now) ?? prove({ ...now, bundle: serving })), toBeServed: serving };
  const againAt = earlier(opening.opens, meanwhile.againAt);
  const waits = `the certificate is issued and waits for the install window, ${says}`;
  if (meanwhile.state !== 'live') return { ...meanwhile, againAt, why: `${meanwhile.why}; besides, ${waits}` };
  const why = `${waits}; until then the one before it is served, which ends ${serving.notAfter.toISOString()}`;
  return { ...meanwhile, state: 'waiting-for-window', why, againAt };
}

/** Why it is posted outside the window. */
export function breaksWindow(now: Situation): string | undefined {
  const found = closed(now);
  if (found?.urgent === undefined) return undefined;
  return `it does not wait for the install window, ${found.says}, because ${found.urgent}`;
}

function closed(now: Situation): Closed | undefined {
  const { seen, policy, bundle, placement } = now;
  const { installWindow: window } = policy;
  if (window === undefined || bundle === undefined || !placement?.ok || !seen.loadBalancer.ok) return undefined;
  // With no task to be, nothing is interrupted.
  if (seen.loadBalancer.value.instances === 0 || holds(placement.slot, bundle, now)) return undefined;
  if (isOpen(window, seen.at)) return undefined;
  const opening = nextOpening(window, seen.at);
  const says = openingAsText(window, opening);
  const { content } = placement.slot;
  const served = content.kind === 'ours' && isValid(content.bundle, seen.at) ? content.bundle : undefined;
  const bare = now.standings.flatMap(({ name, issued }) => (issued && !served?.domains.includes(name) ? name : []));
  if (served === undefined || bare.length > 0)
    return { opening, says, urgent: `no valid certificate of ours is served for ${list(bare)}` };
  const urgent = wrong(now, served, bundle) ?? late(served, opening);
  return urgent === undefined ? { opening, says, urgent, serving: served } : { opening, says, urgent };
}

function isValid({ notBefore, notAfter }: CertificateBundle, at: Date): boolean {
  return notBefore <= at && at < notAfter;
}

/** It is in the environment, and of no use to those who ask. */
function wrong({ seen }: Situation, served: CertificateBundle, bundle: CertificateBundle): string | undefined {
  if (isStagingIssuer(served.issuer) && !isStagingIssuer(bundle.issuer))
    return 'what is served is of a CA for tests, which no browser trusts';
  const { wire } = seen;
  if (wire?.expected !== served.fingerprint || wire.failingSince === undefined) return undefined;
  if (seen.at < later(wire.failingSince, WRONG_FOR)) return undefined;
  const other = wire.looks.find(({ taskId, verdict }) => taskId !== undefined && verdict.kind === 'other');
  return other && `marathon-lb at ${other.endpoint} serves another certificate than ours for ${other.domain}`;
}

/** The time by which even a name would be given up: no window is worth coming nearer to the end. */
function late(served: CertificateBundle, { opens }: Opening): string | undefined {
  if (opens < lastCallAt(served)) return undefined;
  return `what is served ends ${served.notAfter.toISOString()}, and must be replaced by ${lastCallAt(served).toISOString()}`;
}
