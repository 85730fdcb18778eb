/** The plan for a person: where it stands, and as a difference what would be otherwise, why and when. */
import type { Difference } from '../plan/difference.ts';
import type { PlanFacts } from '../status.ts';
import { hanging, padded, section } from '../terminal/layout.ts';
import { type Style, sentence } from '../terminal/style.ts';
import { relative } from '../words.ts';
import { limitRow, meaningOf, notes } from './status-text.ts';

interface View {
  readonly now: Date;
  readonly style: Style;
}

/** A look needs somebody at the end of the challenge path. */
const ROUTES =
  'whether the names lead here can only be seen by the running program, which answers on their paths (doctor asks it)';

const SIGNS = { '+': 'good', '-': 'bad', '~': 'warn' } as const;
/** How many of the names that stay. */
const MOST_UNCHANGED = 20;

export function planDifferenceAsText(planned: PlanFacts, change: Difference, view: View): string {
  const { style } = view;
  return [
    standing(planned, view),
    section('Names', names(change, view), style),
    section('Load balancer', slots(change, view), style),
    section('What would be done', steps(planned, change, view), style),
    section('Limits of the CA', planned.budgets.map((budget) => limitRow(budget, view)).join(''), style),
    section('Take note', notes(planned.notes, view), style),
  ].join('');
}

function standing(planned: PlanFacts, view: View): string {
  const { certificate, leader, paused, installWindow, looks } = planned;
  const { state, why, cure, held, renewAt } = certificate;
  const { now, style } = view;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['state', style.paint(state, meaningOf(state).tone)],
    ['why', sentence(why, now)],
    ['cure', cure && sentence(cure, now)],
    ['held', held && sentence(`${held.fingerprint} until ${held.notAfter.toISOString()}`, now)],
    ['renewal', renewAt && sentence(renewAt.toISOString(), now)],
    ['leader', leader.isUs ? undefined : `${leader.taskId ?? 'nobody yet'}, and not this task: it would do nothing`],
    ['window', installWindow === null ? undefined : `${installWindow.text}: ${sentence(installWindow.says, now)}`],
    ['paused', paused ? 'PAUSE=true: nothing is changed' : undefined],
    ['note', looks.includes('routes') ? ROUTES : undefined],
  ];
  return lines
    .flatMap(([name, text]) => (text === undefined ? [] : hanging(`${name.padEnd(10)} `, text, style)))
    .join('');
}

function names({ names: changes, unchanged }: Difference, { now, style }: View): string {
  const width = Math.max(0, ...changes.map(({ name }) => name.length));
  const rows = changes.map(({ name, sign, says }) =>
    hanging(`  ${style.paint(`${sign} ${padded(name, width)}`, SIGNS[sign])}  `, sentence(says, now), style),
  );
  const more = unchanged.length > MOST_UNCHANGED ? ` and ${unchanged.length - MOST_UNCHANGED} more` : '';
  const stay = unchanged.slice(0, MOST_UNCHANGED).join(', ');
  return rows.join('') + (stay === '' ? '' : hanging('    ', `${stay}${more}`, style));
}

function slots({ slots: changes, redeploy }: Difference, { now, style }: View): string {
  const arrow = style.isUnicode ? '→' : '->';
  const rows = changes.map(({ slot, before, after }) =>
    hanging(`  ${style.paint(`~ ${slot}`, SIGNS['~'])}  `, sentence(`${before} ${arrow} ${after}`, now), style),
  );
  return rows.join('') + (redeploy === undefined ? '' : hanging('    ', `a redeploy: ${redeploy}`, style));
}

/** The order is followed by its installation, which is no action yet. */
function steps({ next, actions, looks }: PlanFacts, { slots: changes }: Difference, { now, style }: View): string {
  const told = next.map(({ what, at }) => [at === undefined ? 'now' : relative(at, now), what] as const);
  const isOrder = actions.some(({ kind }) => kind === 'issue');
  const [slot] = changes;
  const then =
    isOrder && slot !== undefined
      ? [['then', `post it to ${slot.slot}, which redeploys the load balancer`] as const]
      : [];
  const count = actions.length + looks.length;
  const all = [...told.slice(0, count), ...then, ...told.slice(count)];
  const none = count === 0 ? hanging('  ', 'nothing now', style) : '';
  const width = Math.max(...all.map(([when]) => when.length));
  return none + all.map(([when, what]) => hanging(`  ${padded(when, width)}  `, sentence(what, now), style)).join('');
}
