/**
 * The slots: which of marathon-lb's certificate variables ours goes into, and what there is not ours to touch.
 *
 * Pure. The rule: a value that is empty, self-signed, expired or ours may be overwritten; anything else was put
 * there by somebody who wants it, so ours takes the next slot and HAProxy picks by SNI.
 */
import { isStagingIssuer } from '../certificates/authority.ts';
import { CertificateBundle } from '../certificates/bundle.ts';
import type { EnvValue } from '../marathon/app.ts';
import type { Finding } from './sentences.ts';

/** HAProxy takes 64 words on a `bind` line, which leaves room for 30 certificates. One more, and it does not start. */
const MOST_CERTIFICATES = 30;
/** The first variable and 0 to 28 are ours to use; marathon-lb's start script reads up to 100. */
const NUMBERED_SLOTS = MOST_CERTIFICATES - 1;
const NUMBERED_READ = 101;

export interface SlotContext {
  readonly certEnv: string;
  readonly env: Readonly<Record<string, EnvValue>>;
  /** The names that we keep a certificate for. */
  readonly domains: readonly string[];
  /** Names that we kept one for before an edit of our labels. */
  readonly pastDomains: readonly string[];
  /** Leaf fingerprints that we know as ours from the state folder. */
  readonly ours: ReadonlySet<string>;
  readonly takeOver: boolean;
  readonly now: Date;
}

/** What one variable holds. */
export type SlotContent =
  | { readonly kind: 'empty' }
  | { readonly kind: 'secret'; readonly reference: string }
  | { readonly kind: 'unreadable'; readonly problem: string }
  | { readonly kind: 'self-signed' | 'expired' | 'ours' | 'foreign'; readonly bundle: CertificateBundle };

export interface Slot {
  readonly name: string;
  readonly content: SlotContent;
  /** Our names that HAProxy would answer for with this one, if it stands before ours. */
  readonly shadows: readonly string[];
}

/** All slots in HAProxy's order: the first certificate that has the name is the one served. */
export function readSlots(context: SlotContext): readonly Slot[] {
  const all = variables(baseOf(context.certEnv), NUMBERED_SLOTS);
  return all.slice(all.indexOf(context.certEnv)).map((name) => {
    const content = contentOf(context.env[name], context);
    return { name, content, shadows: shadowed(content, context) };
  });
}

/** marathon-lb numbers the variables after one without a number, whichever of them the operator lets us begin with. */
function baseOf(certEnv: string): string {
  const base = certEnv.replace(/\d+$/, '');
  return variables(base, NUMBERED_SLOTS).includes(certEnv) ? base : certEnv;
}

function variables(certEnv: string, numbered: number): readonly string[] {
  return [certEnv, ...Array.from({ length: numbered }, (_, n) => `${certEnv}${n}`)];
}

function contentOf(value: EnvValue | undefined, context: SlotContext): SlotContent {
  if (value === undefined || isEmpty(value)) return { kind: 'empty' };
  if (typeof value !== 'string') return { kind: 'secret', reference: value.secret ?? 'of an unknown form' };
  const bundle = parsed(value);
  if (!(bundle instanceof CertificateBundle)) return { kind: 'unreadable', problem: bundle };
  if (isOurs(bundle, context)) return { kind: 'ours', bundle };
  if (bundle.selfSigned) return { kind: 'self-signed', bundle };
  if (bundle.notAfter <= context.now) return { kind: 'expired', bundle };
  return { kind: 'foreign', bundle };
}

function isEmpty(value: EnvValue | undefined): boolean {
  return value === undefined || (typeof value === 'string' && value.trim() === '');
}

function parsed(pem: string): CertificateBundle | string {
  try {
    return CertificateBundle.parse(pem);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Ours by what we remember or, with the memory lost, by its names: all of them are ones we keep, or have just kept. */
function isOurs(bundle: CertificateBundle, { ours, domains, pastDomains }: SlotContext): boolean {
  if (ours.has(bundle.fingerprint)) return true;
  const isKept = (name: string): boolean => domains.includes(name);
  const wasKept = (name: string): boolean => isKept(name) || pastDomains.includes(name);
  return !bundle.selfSigned && bundle.domains.some(isKept) && bundle.domains.every(wasKept);
}

/** By the exact name only: HAProxy prefers it to a wildcard, whichever of the two certificates comes first. */
function shadowed(content: SlotContent, { domains, ours }: SlotContext): readonly string[] {
  return 'bundle' in content && !ours.has(content.bundle.fingerprint)
    ? domains.filter((name) => content.bundle.domains.includes(name))
    : [];
}

/** Where a certificate of ours goes, or why it cannot go anywhere. */
export type Placement =
  | { readonly ok: true; readonly slot: Slot; readonly stale: readonly Slot[] }
  | { readonly ok: false; readonly why: string; readonly cure: string };

/** The slot for our certificate, and other slots that still hold an older one of ours. */
export function placeIn(slots: readonly Slot[], context: SlotContext): Placement {
  const free = freePlace(slots, context);
  const chosen = (context.takeOver ? shadowBefore(slots, free) : undefined) ?? free;
  if (chosen === undefined) return full(`all ${slots.length} certificate variables of marathon-lb are in use`, context);
  if (chosen.content.kind === 'empty' && certificatesIn(context) >= MOST_CERTIFICATES)
    return full(`HAProxy takes no more than ${MOST_CERTIFICATES} certificates, and marathon-lb has as many`, context);
  const stale = slots.filter((slot) => slot !== chosen && isKnownOurs(slot, context.ours));
  return { ok: true, slot: chosen, stale };
}

/**
 * Without touching anybody's: the first one that may be overwritten. Once ours is somewhere it stays, for a move is a
 * redeploy, but for two reasons: marathon-lb ignores the numbered ones while the first is empty, and what stands before
 * ours must not be served for our names.
 */
function freePlace(slots: readonly Slot[], { ours: known }: SlotContext): Slot | undefined {
  const open = slots.filter(({ content }) => mayOverwrite(content));
  const ours = open.find((slot) => isKnownOurs(slot, known)) ?? open.find(({ content }) => content.kind === 'ours');
  if (ours === undefined || slots[0]?.content.kind === 'empty') return open[0];
  return open.find((slot) => slot === ours || slot.shadows.length > 0);
}

function shadowBefore(slots: readonly Slot[], own: Slot | undefined): Slot | undefined {
  const before = own === undefined ? slots : slots.slice(0, slots.indexOf(own));
  return before.find(({ shadows }) => shadows.length > 0);
}

function full(why: string, { certEnv }: SlotContext): Placement {
  return { ok: false, why, cure: `empty one of ${certEnv}, ${certEnv}0 … ${certEnv}${NUMBERED_SLOTS - 1}` };
}

function certificatesIn({ certEnv, env }: SlotContext): number {
  return variables(baseOf(certEnv), NUMBERED_READ).filter((name) => !isEmpty(env[name])).length;
}

function mayOverwrite({ kind }: SlotContent): boolean {
  return kind === 'empty' || kind === 'self-signed' || kind === 'expired' || kind === 'ours';
}

/** By memory only: a slot that merely has our names may belong to another keeper of the same names. */
function isKnownOurs({ content }: Slot, ours: ReadonlySet<string>): boolean {
  return content.kind === 'ours' && ours.has(content.bundle.fingerprint);
}

/** Why this certificate must not go into this slot: a test certificate never takes a real one's place. */
export function slotObjection(slot: Slot, bundle: CertificateBundle, now: Date): Finding | undefined {
  const { content } = slot;
  if (!('bundle' in content) || !isStagingIssuer(bundle.issuer)) return undefined;
  const isReal = !content.bundle.selfSigned && !isStagingIssuer(content.bundle.issuer) && content.bundle.notAfter > now;
  if (!isReal) return undefined;
  return {
    why: `${slot.name} holds a certificate that browsers trust; one of a staging CA never replaces it`,
    cure: `set LETSENCRYPT_SERVER_URL to a CA that browsers trust, or empty ${slot.name} if it is for tests`,
  };
}

/** What an operator should know of the slots that are not ours, each with the way out. */
export function slotNotes(slots: readonly Slot[], chosen: Slot | undefined): readonly string[] {
  const own = chosen === undefined ? slots.length : slots.indexOf(chosen);
  return slots.flatMap(({ name, content, shadows }, index) => {
    if (content.kind === 'unreadable') {
      return `${name} holds something HAProxy may refuse (${content.problem}): then every marathon-lb that restarts with it stays closed; repair or empty it`;
    }
    if (index >= own) return [];
    if (content.kind === 'secret') {
      return `${name} is a secret reference (${content.reference}) and is never overwritten; to let us keep it, replace the reference by an empty string`;
    }
    if (shadows.length === 0) return [];
    return `${name} holds a certificate of somebody else (${facts(content)}) that HAProxy serves for ${shadows.join(', ')} before ours; set TAKE_OVER=true to replace it`;
  });
}

function facts(content: SlotContent): string {
  return 'bundle' in content
    ? `${content.bundle.issuer}, until ${content.bundle.notAfter.toISOString()}`
    : content.kind;
}
