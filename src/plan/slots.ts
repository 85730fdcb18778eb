/**
 * The slots: which of marathon-lb's certificate variables ours goes into, and what there is not ours to touch.
 *
 * Pure. The rule: a value that is empty, self-signed, expired or ours may be overwritten; anything else was put
 * there by somebody who wants it, so ours takes the next slot and HAProxy picks by SNI.
 */
import { isStagingIssuer } from '../certificates/authority.ts';
import { CertificateBundle } from '../certificates/bundle.ts';
import type { EnvValue } from '../marathon/app.ts';

/**
 * HAProxy takes 64 words on a `bind` line, which leaves room for 30 certificates: the first variable and 29
 * numbered ones. One more, and HAProxy does not start.
 */
const NUMBERED_SLOTS = 29;

export interface SlotContext {
  readonly certEnv: string;
  readonly env: Readonly<Record<string, EnvValue>>;
  /** The names that we keep a certificate for. */
  readonly domains: readonly string[];
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
  /** Whether HAProxy would answer with this one, not ours, for at least one of our names. */
  readonly shadows: readonly string[];
}

/** All slots in HAProxy's order: the first certificate that has the name is the one served. */
export function readSlots(context: SlotContext): readonly Slot[] {
  const names = [context.certEnv, ...Array.from({ length: NUMBERED_SLOTS }, (_, n) => `${context.certEnv}${n}`)];
  return names.map((name) => {
    const content = contentOf(context.env[name], context);
    return { name, content, shadows: content.kind === 'foreign' ? covered(content.bundle, context.domains) : [] };
  });
}

function contentOf(value: EnvValue | undefined, context: SlotContext): SlotContent {
  if (value === undefined || value === '') return { kind: 'empty' };
  if (typeof value !== 'string') return { kind: 'secret', reference: value.secret };
  if (value.trim() === '') return { kind: 'empty' };
  const bundle = parsed(value);
  if (!(bundle instanceof CertificateBundle)) return { kind: 'unreadable', problem: bundle };
  if (isOurs(bundle, context)) return { kind: 'ours', bundle };
  if (bundle.selfSigned) return { kind: 'self-signed', bundle };
  if (bundle.notAfter <= context.now) return { kind: 'expired', bundle };
  return { kind: 'foreign', bundle };
}

function parsed(pem: string): CertificateBundle | string {
  try {
    return CertificateBundle.parse(pem);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Ours by what we remember or, with the memory lost, by its names: all of them are ones we keep. */
function isOurs(bundle: CertificateBundle, { ours, domains }: SlotContext): boolean {
  if (ours.has(bundle.fingerprint)) return true;
  return !bundle.selfSigned && bundle.domains.length > 0 && bundle.domains.every((name) => domains.includes(name));
}

/** Which of these names HAProxy would serve with this certificate: by the exact name, or a wildcard one label up. */
function covered(bundle: CertificateBundle, domains: readonly string[]): readonly string[] {
  const names = new Set(bundle.domains);
  return domains.filter((name) => names.has(name) || names.has(`*${name.slice(name.indexOf('.'))}`));
}

/** Where a certificate of ours goes, or why it cannot go anywhere. */
export type Placement =
  | { readonly ok: true; readonly slot: Slot; readonly stale: readonly Slot[] }
  | { readonly ok: false; readonly why: string; readonly cure: string };

/**
 * The slot for our certificate, and other slots that still hold an older one of ours. The first variable is
 * preferred: marathon-lb's start script ignores the numbered ones while it is empty.
 */
export function placeIn(slots: readonly Slot[], context: SlotContext): Placement {
  const [first, ...numbered] = slots;
  const takenOver = context.takeOver ? slots.find((slot) => slot.shadows.length > 0) : undefined;
  const chosen =
    takenOver ??
    [first, numbered.find(holdsOurs), ...numbered].find((slot) => slot !== undefined && mayOverwrite(slot.content));
  if (chosen === undefined) {
    return {
      ok: false,
      why: `all ${slots.length} certificate variables of marathon-lb hold certificates of others`,
      cure: `empty one of ${context.certEnv}, ${context.certEnv}0 … ${context.certEnv}${NUMBERED_SLOTS - 1}`,
    };
  }
  const stale = slots.filter((slot) => slot !== chosen && isKnownOurs(slot, context.ours));
  return { ok: true, slot: chosen, stale };
}

function holdsOurs(slot: Slot): boolean {
  return slot.content.kind === 'ours';
}

function mayOverwrite({ kind }: SlotContent): boolean {
  return kind === 'empty' || kind === 'self-signed' || kind === 'expired' || kind === 'ours';
}

/** By memory only: a slot that merely has our names may belong to another keeper of the same names. */
function isKnownOurs({ content }: Slot, ours: ReadonlySet<string>): boolean {
  return content.kind === 'ours' && ours.has(content.bundle.fingerprint);
}

/** Why this certificate must not go into this slot: a test certificate never takes a real one's place. */
export function slotObjection(slot: Slot, bundle: CertificateBundle, now: Date): string | undefined {
  const { content } = slot;
  if (!('bundle' in content) || !isStagingIssuer(bundle.issuer)) return undefined;
  const isReal = !content.bundle.selfSigned && !isStagingIssuer(content.bundle.issuer) && content.bundle.notAfter > now;
  return isReal
    ? `${slot.name} holds a certificate that browsers trust; one of a staging CA never replaces it`
    : undefined;
}

/** What an operator should know of the slots that are not ours, each with the way out. */
export function slotNotes(slots: readonly Slot[], chosen: Slot | undefined): readonly string[] {
  const before = chosen === undefined ? slots : slots.slice(0, slots.indexOf(chosen));
  return before.flatMap(({ name, content, shadows }) => {
    if (content.kind === 'secret') {
      return `${name} is a secret reference (${content.reference}) and is never overwritten; to let us keep it, replace the reference by an empty string`;
    }
    if (content.kind === 'unreadable') {
      return `${name} holds something HAProxy will refuse (${content.problem}): every marathon-lb that restarts with it stays closed; repair or empty it`;
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
