/**
 * A file that is there whole, old or new, whenever the process is killed: written beside its place, flushed, renamed into
 * it, and the folder flushed. What is written holds private keys, so nobody else may read it, not even for a moment.
 * And read so that nothing that stands in its place can hang the process or fill its memory.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Throws what the file system throws; then the old file is still there. */
export async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  await rename(await writeTemporary(folder, name, text), join(folder, name));
  await syncFolder(folder);
}

/** The path of a flushed file that is not in its place yet. Mode 0600 in so many words: the umask may leave even less. */
export async function writeTemporary(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
    return path;
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

/** Some network file systems can't flush a folder, and say so: then the rename itself has to do. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync().catch((error) => {
      if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(codeOf(error) ?? '')) throw error;
    });
  } finally {
    await folder.close();
  }
}

/** Whatever is there: a pipe would keep us waiting for ever, and a file of gigabytes would not fit. */
export async function readText(path: string, largest: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() && !found.isDirectory()) throw new Error('it is no file (a pipe, a socket or a device)');
    if (found.size > largest) throw new Error(`it has ${found.size} bytes, and ${largest} is the most it may have`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** The system's word for what went wrong (`ENOSPC`), if that is what the error is. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
