/**
 * The first invariant: no served certificate expires while the CA was reachable and the name healthy for a sixth of its
 * life. It is held twice: the new one has to be there by the middle of that sixth, and served at the end.
 *
 * Where a certificate expires and something excuses it, the excuse is counted: one that is used often hides something.
 */
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import type { Issued } from './certificate-authority.ts';
import type { Clock } from './clock.ts';
import type { Condition, Health } from './health.ts';
import type { Names } from './names.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The model's certificates begin an hour before they are issued, at a whole second. */
const BACKDATED = HOUR + 1_000;
/** The program waits for nothing longer than 6 hours by then (src/plan/situation.ts), and an order has its time. */
const ORDERED_WITHIN = 12 * HOUR;
/** What an order needs besides the CA and the name; the load balancers' deployments are none of it. */
const FOR_AN_ORDER: readonly Condition[] = ['marathon', 'disk', 'clock'];
/** What it takes to post what was issued. */
const FOR_A_POST: readonly Condition[] = ['marathon', 'balancer', 'disk', 'clock'];

export interface Surroundings {
  readonly clock: Clock;
  readonly health: Health;
  readonly names: Names;
  readonly wantedSince: ReadonlyMap<string, number>;
  /** Whether the state folder of a running task has it. */
  readonly isRemembered: (fingerprint: string) => boolean;
  /** Whether it is the certificate in the state folder of a running task. */
  readonly isHeld: (bundle: CertificateBundle) => boolean;
  readonly violate: (what: string, key: string) => void;
}

export class Expiry {
  /** Excuse → of how many certificates that expired. */
  readonly excused = new Map<string, number>();
  readonly #around: Surroundings;
  /** The last one for each name. */
  readonly #issued = new Map<string, Issued>();
  readonly #bought: CertificateBundle[] = [];
  readonly #judged = new Set<string>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  issued(certificate: Issued): void {
    for (const name of certificate.names) this.#issued.set(name, certificate);
  }

  /** Somebody put it in a slot of ours. As long as the program holds it, it needs no newer one of its own. */
  bought(bundle: CertificateBundle): void {
    this.#bought.push(bundle);
  }

  /** One of ours that a load balancer serves for this name. */
  served(name: string, bundle: CertificateBundle): void {
    const { clock } = this.#around;
    const end = bundle.notAfter.getTime();
    const sixth = (end - bundle.notBefore.getTime()) / 6;
    if (clock.now < end - sixth) return;
    const isNewer = this.#hasNewer(name, bundle);
    if (!isNewer) this.#ordered(name, { end, sixth });
    if (clock.now < end || this.#judged.has(bundle.fingerprint + name)) return;
    this.#judged.add(bundle.fingerprint + name);
    this.#expired(name, bundle, { end, sixth, isNewer });
  }

  /** By when it was issued, for it may end sooner: lifetimes shrink. */
  #hasNewer(name: string, { notBefore }: CertificateBundle): boolean {
    const { clock, isHeld } = this.#around;
    const last = this.#issued.get(name);
    if (last !== undefined && last.at > notBefore.getTime() + BACKDATED && last.notAfter > clock.now) return true;
    return this.#bought.some(
      (one) =>
        one.domains.includes(name) && one.notBefore > notBefore && one.notAfter.getTime() > clock.now && isHeld(one),
    );
  }

  /** Half a day of all that an order needs, within the last sixth: then there is a new one, posted or not. */
  #ordered(name: string, { end, sixth }: { readonly end: number; readonly sixth: number }): void {
    const { clock, health, wantedSince } = this.#around;
    const wellSince = this.#isWell(name) ? health.wellSince(['ca', ...FOR_AN_ORDER, `name ${name}`]) : undefined;
    if (wellSince === undefined || clock.now >= end) return;
    // For the sake of a name that fails all wait until the last call (src/certificates/renewal.ts), and no longer.
    const from = this.#areWell(end - sixth) ? end - sixth : end - sixth / 2;
    const since = Math.max(from, wellSince, wantedSince.get(name) ?? clock.now);
    if (clock.now < since + ORDERED_WITHIN) return;
    this.#around.violate(
      `no certificate was had for ${name}, whose own ends ${time(end)}, although the CA could be asked since ${time(since)}`,
      `unordered ${name} ${end}`,
    );
  }

  #expired(
    name: string,
    bundle: CertificateBundle,
    { end, sixth, isNewer }: { readonly end: number; readonly sixth: number; readonly isNewer: boolean },
  ): void {
    const { health, wantedSince, isRemembered } = this.#around;
    const before = (conditions: readonly Condition[], ms: number): boolean =>
      (health.wellSince(conditions) ?? Number.POSITIVE_INFINITY) <= end - ms;
    const needed = FOR_A_POST.filter((condition) => !before([condition], Math.min(sixth, DAY)));
    // An order needs no deployment: what keeps a certificate from being posted excuses only one that was had.
    const inTheWay = isNewer ? needed : needed.filter((condition) => condition !== 'balancer');
    const excuses = [
      ...(before(['ca'], sixth) ? [] : ['the CA']),
      ...(this.#isWell(name) && before([`name ${name}`], sixth) ? [] : ['the name']),
      ...((wantedSince.get(name) ?? end) <= end - sixth ? [] : ['wanted for less than a sixth']),
      ...inTheWay.map((condition) => `${WORDS[condition] ?? condition}${isNewer ? ', a new one was had' : ''}`),
      ...(isRemembered(bundle.fingerprint) ? [] : ['the memory was lost']),
    ];
    for (const excuse of excuses) this.excused.set(excuse, (this.excused.get(excuse) ?? 0) + 1);
    if (excuses.length > 0) return;
    this.#around.violate(
      `${name} is served with a certificate that ended ${time(end)}, although the CA and the name were well for a sixth of its life`,
      bundle.fingerprint + name,
    );
  }

  #isWell(name: string): boolean {
    const { names } = this.#around;
    return names.isWell(name) && !names.isRefused(name);
  }

  /** All names that are wanted, and have been since then. */
  #areWell(since: number): boolean {
    const { health, wantedSince } = this.#around;
    return [...wantedSince.keys()].every((name) => {
      const conditions: readonly Condition[] = [`name ${name}`, `sight of ${name}`];
      return this.#isWell(name) && (health.wellSince(conditions) ?? Number.POSITIVE_INFINITY) <= since;
    });
  }
}

const WORDS: Readonly<Partial<Record<Condition, string>>> = {
  marathon: 'Marathon',
  balancer: 'a deployment or a slot',
  disk: 'the state folder',
  clock: 'our clock',
};

function time(at: number): string {
  return new Date(at).toISOString();
}
