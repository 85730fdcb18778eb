/**
 * PEM text to blocks, as strictly as the strictest of its readers.
 *
 * A PEM that HAProxy refuses keeps the whole load balancer down, so lines are held to what OpenSSL reads before
 * node-forge decodes them (alone, it joins what stands on one line and skips a block that is cut off). Messages give
 * line numbers, never content: it may be a private key.
 */
import forgePem from 'node-forge/lib/pem.js';

export class BundleError extends Error {
  override readonly name = 'BundleError';
}

export interface PemBlock {
  readonly type: string;
  readonly der: Buffer;
}

/** What marathon-lb's `echo -e` makes of a value, and no matter which line ends the operator's editor wrote. */
export function normalisePem(text: string): string {
  return text
    .replace(/(\\r)?\\n/g, '\n')
    .replace(/\r\n/g, '\n')
    .trim();
}

export function readBlocks(text: string): readonly PemBlock[] {
  const normal = normalisePem(text);
  const count = checkLines(normal.split('\n'));
  if (count === 0) throw new BundleError('holds no PEM block at all (no -----BEGIN …----- line)');
  const blocks = forgePem.decode(normal).map(({ type, body }) => ({ type, der: Buffer.from(body, 'latin1') }));
  if (blocks.length !== count) throw new BundleError(`has ${count} PEM blocks of which ${blocks.length} can be read`);
  return blocks;
}

/** Canonical: 64 characters a line, a newline after the block. */
export function writeBlock({ type, der }: PemBlock): string {
  return forgePem.encode({ type, body: der.toString('latin1') }, { maxline: 64 }).replaceAll('\r\n', '\n');
}

/** Returns how many blocks there are. Text between blocks is a comment, as OpenSSL has it. */
function checkLines(lines: readonly string[]): number {
  let open: string | undefined;
  let blocks = 0;
  for (const [index, line] of lines.entries()) {
    const at = `line ${index + 1}`;
    const [, edge, label] = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----\s*$/.exec(line) ?? [];
    const type = label?.toLowerCase(); // in capitals it is what leaks are searched by
    if (edge === 'BEGIN') {
      if (open) throw new BundleError(`${at}: a new block begins before the ${open} has ended (truncated?)`);
      open = type;
      blocks += 1;
    } else if (edge === 'END') {
      if (type !== open) throw new BundleError(`${at}: the end of a ${type}, which did not begin`);
      open = undefined;
    } else checkOtherLine(line, at, open);
  }
  if (open) throw new BundleError(`the ${open} has no END line (truncated?)`);
  return blocks;
}

function checkOtherLine(line: string, at: string, open: string | undefined): void {
  if (/-----(BEGIN|END) /.test(line)) {
    throw new BundleError(
      `${at}: a BEGIN or END must be a line of its own from the first column (parts joined without a newline, newlines turned into spaces, or indented?)`,
    );
  }
  if (!open) return;
  if (/^Proc-Type:.*ENCRYPTED/.test(line)) throw new BundleError(ENCRYPTED);
  if (!/^[A-Za-z0-9+/]+={0,2}\s*$/.test(line)) throw new BundleError(`${at}: not base64, inside the ${open}`);
}

export const ENCRYPTED = 'the private key is encrypted; HAProxy has no password for it, so store it decrypted';
