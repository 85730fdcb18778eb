/**
 * From root to a uid of our own, once the ports are bound.
 *
 * Only where RUN_AS says so, as the image does: whoever starts us as root by hand keeps what he chose. The state folder
 * is taken over first, for an old one (certbot's, or a fresh volume) belongs to root.
 */
import { lchown, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Does nothing when not root. A folder that cannot be taken over is told by the store, when it tries to write. */
export async function dropPrivileges(runAs: Identity | undefined, stateDir: string): Promise<void> {
  if (runAs === undefined || process.getuid?.() !== 0) return;
  await takeOver(stateDir, runAs).catch(() => undefined);
  process.setgroups?.([]);
  process.setgid?.(runAs.gid);
  process.setuid?.(runAs.uid);
}

/** Links themselves, never what they point to: certbot's `live` is links, and one may lead anywhere. */
async function takeOver(folder: string, { uid, gid }: Identity): Promise<void> {
  await lchown(folder, uid, gid);
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await takeOver(path, { uid, gid });
    else await lchown(path, uid, gid);
  }
}
