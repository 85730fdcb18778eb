/** The life of a certificate as a line of characters: what is over, what is left, and from where on it is renewed. */
import { relative } from '../words.ts';
import { wrapped } from './layout.ts';
import type { Style } from './style.ts';

export interface Life {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly renewAt: Date | undefined;
}

const WIDEST = 60;
const CELLS = { over: ['█', '#'], left: ['░', '-'], window: ['▒', '='] } as const;

/** Indented by two, with what it shows in words below. */
export function lifetime({ notBefore, notAfter, renewAt }: Life, now: Date, style: Style): string {
  const width = Math.min(WIDEST, style.columns - 4);
  const lifeMs = Math.max(notAfter.getTime() - notBefore.getTime(), 1);
  const cellOf = (at: Date): number =>
    Math.round(Math.min(Math.max((at.getTime() - notBefore.getTime()) / lifeMs, 0), 1) * width);
  const over = cellOf(now);
  const renewal = renewAt === undefined ? width : cellOf(renewAt);
  const cells = (kind: keyof typeof CELLS, count: number): string =>
    CELLS[kind][style.isUnicode ? 0 : 1].repeat(Math.max(0, count));
  const tone = notAfter <= now ? 'bad' : over >= renewal ? 'warn' : 'good';
  const bar = [
    style.paint(cells('over', over), tone),
    style.paint(cells('left', renewal - over), 'dim'),
    style.paint(cells('window', width - Math.max(over, renewal)), 'warn'),
  ];
  const words = wrapped(stations({ notBefore, notAfter, renewAt }, now), style.columns - 2);
  return [bar.join(''), ...words].map((line) => `  ${line}\n`).join('');
}

function stations({ notBefore, notAfter, renewAt }: Life, now: Date): string {
  const day = (at: Date): string => `${at.toISOString().slice(0, 10)} (${relative(at, now)})`;
  return [
    `issued ${day(notBefore)}`,
    ...(renewAt === undefined ? [] : [`renewal from ${day(renewAt)}`]),
    `${notAfter <= now ? 'ended' : 'ends'} ${day(notAfter)}`,
  ].join(', ');
}
