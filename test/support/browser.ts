/**
 * Debian's chromium, driven by playwright-core: a page that keeps what it asked for and what it complained about.
 */
import type { TestContext } from 'node:test';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

export async function startBrowser(): Promise<Browser> {
  // As root, and in namespaces of the tests' own, chromium's sandbox cannot be had.
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
  return chromium.launch({ executablePath: '/usr/bin/chromium', args });
}

export interface Opened {
  readonly page: Page;
  /** Errors and warnings of the console, and what the script threw. */
  readonly complaints: string[];
  /** What went anywhere but to this origin. */
  readonly strange: string[];
}

export async function open(
  t: TestContext,
  browser: Browser,
  url: string,
  o: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext(o);
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  const strange: string[] = [];
  page.on('console', (said) => void (['error', 'warning'].includes(said.type()) && complaints.push(said.text())));
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('request', (request) => {
    const isOurs = request.url().startsWith(new URL(url).origin) || request.url().startsWith('data:');
    if (!isOurs) strange.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, strange };
}

/** What axe-core finds wrong, a line each. The page's policy keeps scripts out, so it comes in by the debugger. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
  });
}
