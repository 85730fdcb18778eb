/**
 * A running instance's status for a person: what is so and what to do first, details below.
 *
 * What stands where at three in the morning: is it well, why not, what helps, how long the certificate still lives.
 */
import type { Told, ToldBudget, ToldEvent, ToldName, ToldPlan } from '../instance/told.ts';
import { printable } from '../printable.ts';
import { hanging, padded, section, widthOf } from '../terminal/layout.ts';
import { lifetime } from '../terminal/lifetime.ts';
import { type Style, sentence, timeAsText } from '../terminal/style.ts';
import { type Meaning, relative, STATES, type Tone } from '../words.ts';

/** How many of the newest events. */
const EVENTS = 5;
/** How many steps, and how many of the names that are well. */
const STEPS = 5;
const NAMES = 20;

interface View {
  readonly now: Date;
  readonly style: Style;
}

export function statusAsText(told: Told, at: string, view: View): string {
  const { plan, warnings } = told;
  const parts = [
    standing(told, view),
    ...(plan === null ? [] : [certificate(plan, view), names(plan, view), served(plan, view), limits(plan, view)]),
    section('Take note', notes([...warnings, ...(plan?.notes ?? [])], view), view.style),
    plan === null ? '' : next(plan, view),
    section('Last events', events(told.events, view), view.style),
    `\n${hanging('', origin(told, at, view), view.style)}`,
  ];
  return parts.join('');
}

/** Live, also while a newer one waits for the install window, and the loop turns. */
export function isLive({ alive, plan }: Told): boolean {
  return alive && (plan?.certificate.state === 'live' || plan?.certificate.state === 'waiting-for-window');
}

function standing({ alive, plan, startedAt }: Told, view: View): string {
  if (!alive) {
    const why = 'it has looked at nothing for more than 15 minutes';
    const cure =
      'Marathon restarts this task by its health check; without one, restart it by hand. Its log tells what it was at';
    return headline({ tone: 'bad', title: 'The program is stuck' }, 'not alive', view) + reasons({ why, cure }, view);
  }
  if (plan === null) {
    const why = `started ${timeAsText(startedAt, view.now)}; the first look at Marathon has not ended yet`;
    return (
      headline({ tone: 'busy', title: 'Looking at everything for the first time' }, 'starting', view) +
      reasons({ why }, view)
    );
  }
  const { state } = plan.certificate;
  const meaning = meaningOf(state);
  const paused = plan.paused ? 'PAUSE=true, so nothing is changed' : undefined;
  const { installWindow: window } = plan;
  const hours = window ? `install window ${window.text}: ${sentence(window.says, view.now)}` : undefined;
  return (
    headline(meaning, state, view) +
    reasons(plan.certificate, view) +
    [paused, hours].map((words) => (words === undefined ? '' : hanging('note       ', words, view.style))).join('')
  );
}

/** A later release may know states that we do not. */
export function meaningOf(state: string): Meaning {
  const known = Object.hasOwn(STATES, state) ? STATES[state as keyof typeof STATES] : undefined;
  return known ?? { tone: 'plain', title: 'A state that this release does not know' };
}

function headline({ tone, title }: Meaning, word: string, { style }: View): string {
  const marked = style.paint(`${style.mark(tone)} ${word}`, tone);
  return hanging(`${marked}  `, style.paint(title, 'bold'), style);
}

function reasons({ why, cure }: { readonly why: string; readonly cure?: string | undefined }, { now, style }: View) {
  const told = hanging('why        ', sentence(why, now), style);
  return cure === undefined ? told : told + hanging(style.paint('what to do ', 'warn'), sentence(cure, now), style);
}

function certificate({ certificate: found }: ToldPlan, view: View): string {
  const { held, renewAt, progress, slot } = found;
  const { style, now } = view;
  const order =
    progress === undefined
      ? ''
      : hanging('  ', `order: ${progress.step}, ${progress.validated} of ${progress.total} names validated`, style);
  if (held === undefined) return section('Certificate', hanging('  ', 'there is none yet', style) + order, style);
  const where = slot === undefined ? 'no variable of the load balancer yet' : `variable ${slot}`;
  const facts = [`${counted(held.domains.length, 'name')}, by ${held.issuer}, ${where}`, `SHA-256 ${held.fingerprint}`];
  const body = lifetime({ ...held, renewAt }, now, style) + facts.map((fact) => hanging('  ', fact, style)).join('');
  return section('Certificate', body + order, style);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function names({ certificate: { names: all, refused } }: ToldPlan, view: View): string {
  const [ill, well] = [all.filter((one) => !isWell(one)), all.filter(isWell)];
  const width = Math.max(0, ...[...ill, ...refused].map(({ name }) => name.length));
  const rows = [
    ...ill.map((one) => nameRow(one, width, view)),
    ...refused.map(({ name, reason }) => row({ tone: 'plain', name, width }, `left out: it ${reason}`, view)),
    well.length > 0 ? wellRow(well, view) : '',
  ];
  return section(`Names (${all.length})`, rows.join(''), view.style);
}

/** Together, so that what is wrong and the headline stay on one screen. */
function wellRow(well: readonly ToldName[], { style }: View): string {
  const more = well.length > NAMES ? ` and ${well.length - NAMES} more` : '';
  const told = well.slice(0, NAMES).map(({ name }) => name);
  return hanging(
    `  ${style.paint(style.mark('good'), 'good')} `,
    `on the certificate: ${told.join(', ')}${more}`,
    style,
  );
}

function isWell({ issued, obstacle, overruled }: ToldName): boolean {
  return issued && obstacle === undefined && overruled === undefined;
}

function nameRow({ name, issued, obstacle, overruled }: ToldName, width: number, view: View): string {
  const found = obstacle ?? overruled;
  const tone: Tone = found === undefined ? (issued ? 'good' : 'busy') : issued ? 'warn' : 'bad';
  const state = issued ? 'on the certificate' : 'not on the certificate';
  if (found === undefined) return row({ tone, name, width }, issued ? state : `${state}: to be ordered`, view);
  const next =
    obstacle === undefined ? 'the CA is asked all the same' : `next try ${relative(obstacle.until, view.now)}`;
  return (
    row({ tone, name, width }, `${state}, ${next}`, view) +
    hanging('      ', sentence(found.why, view.now), view.style) +
    (found.cure === undefined
      ? ''
      : hanging(`    ${view.style.isUnicode ? '→' : '>'} `, sentence(found.cure, view.now), view.style))
  );
}

function row(
  of: { readonly tone: Tone; readonly name: string; readonly width: number },
  text: string,
  { style }: View,
) {
  return hanging(`  ${style.paint(style.mark(of.tone), of.tone)} ${padded(of.name, of.width)}  `, text, style);
}

function served({ served: found }: ToldPlan, view: View): string {
  if (found === null) return '';
  const width = Math.max(0, ...found.instances.map(({ endpoint }) => endpoint.length));
  const rows = found.instances.map(({ endpoint, asked, right }) => {
    const tone = right === asked ? 'good' : 'bad';
    const words = `ours for ${right === asked ? 'all of' : `${right} of`} ${counted(asked, 'name')}`;
    return row({ tone, name: endpoint, width }, words, view);
  });
  return section(`Served, as seen ${relative(found.at, view.now)}`, rows.join(''), view.style);
}

/** What is not touched yet is not worth a line. */
function limits({ budgets }: ToldPlan, view: View): string {
  const used = budgets.filter((one) => one.used > 0);
  return section('Limits of the CA', used.map((one) => limitRow(one, view)).join(''), view.style);
}

export function limitRow({ what, used, allowed, limit, nextFreeAt }: ToldBudget, { now, style }: View): string {
  const tone: Tone = nextFreeAt === undefined ? 'good' : 'warn';
  const free = nextFreeAt === undefined ? '' : `; the next one is free ${timeAsText(nextFreeAt, now)}`;
  const words = `${used} of ${allowed} ${what} (the CA allows ${limit})${free}`;
  return hanging(`  ${style.paint(style.mark(tone), tone)} `, words, style);
}

export function notes(all: readonly string[], { now, style }: View): string {
  return all
    .map((note) => hanging(`  ${style.paint(style.mark('warn'), 'warn')} `, sentence(note, now), style))
    .join('');
}

function next({ next: steps }: ToldPlan, { now, style }: View): string {
  const shown = steps
    .slice(0, STEPS)
    .map(({ what, at }) => [at === undefined ? 'now' : relative(at, now), what] as const);
  const width = Math.max(0, ...shown.map(([when]) => widthOf(when)));
  const rows = shown.map(([when, what]) => hanging(`  ${padded(when, width)}  `, what, style));
  const more = steps.length > STEPS ? `  and ${steps.length - STEPS} more, in --json\n` : '';
  return section('What comes next', rows.join('') + more, style);
}

/** On a terminal the gist of each: all of it is in the log, and the newest is above. */
const LONGEST_EVENT = 140;

function events(all: readonly ToldEvent[], { now, style }: View): string {
  const rows = all.slice(-EVENTS).map(({ at, kind, state, text }): string => {
    const tone = state === undefined ? 'plain' : meaningOf(state).tone;
    const when = Number.isNaN(at.getTime()) ? '?' : at.toISOString().slice(0, 16).replace('T', ' ');
    const whole = sentence(text, now);
    const told = Number.isFinite(style.columns) ? printable(whole, LONGEST_EVENT) : whole;
    return hanging(`  ${style.paint(when, 'dim')}  `, `${style.paint(state ?? kind, tone)}: ${told}`, style);
  });
  return rows.reverse().join('');
}

function origin({ version, appId, taskId, directoryUrl, plan }: Told, at: string, { now }: View): string {
  const asOf = plan === null ? '' : `, as of ${relative(plan.at, now)}`;
  return `${appId} ${version}${taskId === undefined ? '' : ` (${taskId})`} at ${at}, CA ${directoryUrl}${asOf}`;
}
