/**
 * From root to a uid of our own, once the ports are bound.
 *
 * Only where RUN_AS says so, as the image does: whoever starts us as root by hand keeps what he chose. The state folder
 * is taken over first, for an old one (certbot's, or a fresh volume) belongs to root.
 */
import { lchown, mkdir, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the folder, where there is none, and makes it theirs. Does nothing when not root; what cannot be taken over is
 * told by the store, when it writes.
 */
export async function takeOver(folder: string, runAs: Identity | undefined): Promise<void> {
  if (runAs === undefined || process.getuid?.() !== 0) return;
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => undefined);
  await giveAway(folder, runAs).catch(() => undefined);
}

/** From here on with their rights and no others. Does nothing when not root. */
export function become(runAs: Identity | undefined): void {
  if (runAs === undefined || process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(runAs.gid);
  process.setuid?.(runAs.uid);
}

/** Links themselves, never what they point to: certbot's `live` is links, and one may lead anywhere. */
async function giveAway(folder: string, { uid, gid }: Identity): Promise<void> {
  await lchown(folder, uid, gid);
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveAway(path, { uid, gid });
    else await lchown(path, uid, gid);
  }
}
