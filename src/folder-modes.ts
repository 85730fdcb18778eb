/** Who else could read the state folder, and whether it outlives the task: told in sentences, mended where that is ours. */
import { chmod, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** statfs(2): tmpfs, ramfs, overlayfs and aufs end with the container. */
const EPHEMERAL = [0x01021994, 0x858458f6, 0x794c7630, 0x61756673];

/**
 * A fresh volume is open to others, but holds nothing, and certbot closes its own folders: only where keys lay in the open
 * is there something to tell.
 */
export async function closeToOthers(dir: string, files: readonly string[]): Promise<string | undefined> {
  const before = await modeOf(dir);
  if (before === undefined) return undefined;
  for (const name of files) await chmod(join(dir, name), 0o600).catch(() => undefined);
  await chmod(dir, 0o700).catch(() => undefined);
  const after = (await modeOf(dir)) ?? before;
  if (after & 0o077) return `${dir} is open to others (mode ${octal(after)}) and holds private keys: chmod 700 it`;
  if (!(before & 0o077) || files.length === 0) return undefined;
  return `${dir} was open to others (mode ${octal(before)}); it is 0700 now, but others on that machine may have read its private keys: if so, have a new certificate (Renew, on the status page)`;
}

export async function endsWithTask(dir: string): Promise<string | undefined> {
  const system = await statfs(dir).catch(() => undefined);
  if (!system || !EPHEMERAL.includes(system.type)) return undefined;
  return `${dir} ends with this task: give the app a volume there, so that account and certificates outlive it`;
}

async function modeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && found.mode & 0o777;
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
