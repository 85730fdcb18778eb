/**
 * The admin listener's `/metrics`: Prometheus' text exposition format 0.0.4, written here because it is three rules.
 *
 * HELP and TYPE before the samples of each metric; in a help text `\` and line breaks are escaped, in a label's value
 * the double quote too; a value is a float. A metric without samples is not mentioned.
 */
import type { FastifyInstance } from 'fastify';
import type { Family, Sample } from '../metrics/families.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function addMetricsRoute(server: FastifyInstance, families: () => readonly Family[]): void {
  server.get('/metrics', (_request, reply) =>
    reply
      .headers({ 'content-type': CONTENT_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      .send(exposition(families())),
  );
}

export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`];
      return [...lines, ...samples.map((sample) => lineOf(name, sample)), ''].join('\n');
    })
    .join('');
}

function lineOf(name: string, { labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberOf(value)}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** As Go reads floats; JavaScript writes all but the infinities so. */
function numberOf(value: number): string {
  return Math.abs(value) === Number.POSITIVE_INFINITY ? `${value < 0 ? '-' : '+'}Inf` : String(value);
}
