/** The state folder for a person: what is kept there, what is wrong with it, and what was tried last. */
import { hanging, section } from '../terminal/layout.ts';
import { lifetime } from '../terminal/lifetime.ts';
import { type Style, sentence, timeAsText } from '../terminal/style.ts';
import type { Tone } from '../words.ts';
import type { FolderFacts } from './folder-facts.ts';
import { limitRow, notes } from './status-text.ts';

interface View {
  readonly now: Date;
  readonly style: Style;
}

/** There is a certificate, and it has not ended; what else is odd is told, and is no reason for an alarm. */
export function isWell({ certificate }: FolderFacts, now: Date): boolean {
  return certificate !== null && certificate.notAfter > now;
}

export function folderAsText(facts: FolderFacts, view: View): string {
  const { style } = view;
  return [
    headline(facts, view),
    section('Take note', notes(facts.problems, view), style),
    certificate(facts, view),
    section('Also there', rows(others(facts, view), view), style),
    section('Limits of the CA', facts.budgets.map((budget) => limitRow(budget, view)).join(''), style),
    section('What failed last', failures(facts, view), style),
  ].join('');
}

function headline(facts: FolderFacts, { now, style }: View): string {
  const { certificate: held, folder, problems, isEmpty } = facts;
  const [tone, words]: readonly [Tone, string] =
    isEmpty && problems.length === 0
      ? ['plain', 'nothing of ours is in it: name the folder that STATE_DIR of the program names']
      : held === null
        ? ['bad', 'no certificate is in it']
        : held.notAfter <= now
          ? ['bad', `the certificate has ended ${timeAsText(held.notAfter, now)}`]
          : problems.length > 0
            ? ['warn', `the certificate is good until ${timeAsText(held.notAfter, now)}, but take note`]
            : ['good', `the certificate is good until ${timeAsText(held.notAfter, now)}`];
  return hanging(`${style.paint(`${style.mark(tone)} ${folder}`, tone)}  `, style.paint(words, 'bold'), style);
}

function certificate({ certificate: held, posted }: FolderFacts, view: View): string {
  if (held === null) return '';
  const { now, style } = view;
  const slots = Object.keys(posted).filter((slot) => posted[slot] === held.fingerprint);
  const facts = [
    `names: ${held.domains.join(', ')}`,
    `by ${held.issuer}, ordered at ${held.directory}`,
    slots.length === 0 ? 'never posted to the load balancer' : `posted as ${slots.join(', ')}`,
    `SHA-256 ${held.fingerprint}`,
  ];
  return section('Certificate', lifetime(held, now, style) + rows(facts, view), style);
}

function rows(lines: readonly string[], { style }: View): string {
  return lines.map((line) => hanging('  ', line, style)).join('');
}

function others({ previous, accounts, order, replaced, blocked, certbot }: FolderFacts, { now }: View): string[] {
  return [
    ...accounts.map(({ directory, url }) => `account at ${directory}: ${url ?? 'not registered yet'}`),
    ...(order === null
      ? []
      : [`order under way since ${timeAsText(order.createdAt, now)} for ${order.domains.join(', ')}: ${order.url}`]),
    ...(previous === null
      ? []
      : [`the certificate before, until ${timeAsText(previous.notAfter, now)}: ${previous.fingerprint}`]),
    ...(replaced === null
      ? []
      : [`what ${replaced.slots.join(', ')} held until ${timeAsText(replaced.at, now)}, to be put back if need be`]),
    ...blocked.map((fingerprint) => `refused by the load balancer, never posted again: ${fingerprint}`),
    ...certbot.map(
      ({ name, notAfter, domains }) =>
        `certbot's certificate ${name} until ${timeAsText(notAfter, now)} for ${domains.join(', ')}`,
    ),
  ];
}

function failures({ failures: all }: FolderFacts, { now, style }: View): string {
  const newestFirst = [...all].reverse();
  return newestFirst
    .map(({ at, problem }) =>
      hanging(`  ${style.paint(at.toISOString().slice(0, 16), 'dim')}  `, sentence(problem, now), style),
    )
    .join('');
}
