/** The pages that people read, and what is in them: headings, links, commands, words in code. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export const PROJECT = join(import.meta.dirname, '..', '..');

export interface Page {
  /** From the project's folder. */
  readonly path: string;
  readonly text: string;
}

export const PAGES: readonly Page[] = [
  'README.md',
  ...readdirSync(join(PROJECT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }));

/** What stands between ``` is no prose: it has no headings and no links. */
export function proseOf({ text }: Page): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** As GitHub names them. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const headings = [...proseOf(page).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

export interface Link {
  readonly from: string;
  readonly to: string;
  /** From the project's folder; undefined: somewhere else on the web. */
  readonly path: string | undefined;
  readonly anchor: string | undefined;
}

export function linksOf(page: Page): readonly Link[] {
  const targets = [...proseOf(page).matchAll(/\]\(([^()\s]+(?:\([^()]*\))?)\)/g)].map(([, to = '']) => to);
  return targets.map((to) => {
    if (/^https?:/.test(to)) return { from: page.path, to, path: undefined, anchor: undefined };
    const [file = '', anchor] = to.split('#');
    const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
    return { from: page.path, to, path, anchor };
  });
}

export interface Command {
  readonly page: string;
  readonly line: string;
}

/** Each line behind a `$` in a console block, without the remark behind it. */
export function commandsOf({ path, text }: Page): readonly Command[] {
  const blocks = [...text.matchAll(/^ *```console\n([\s\S]*?)^ *```$/gm)].map(([, block = '']) => block);
  const lines = blocks.flatMap((block) => [...block.matchAll(/^ *\$ (.*)$/gm)].map(([, line = '']) => line));
  return lines.map((line) => ({ page: path, line: line.replace(/\s{2,}# .*$/, '').trim() }));
}
