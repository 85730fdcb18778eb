/**
 * The body of the one change we make: variables in an app's env.
 *
 * Marathon merges at the top level only, so `env` is sent whole, each value as it was read. With it go `secrets`
 * (1.5.0 to 1.5.12 check the update alone and miss what its references name) and the fields that 1.6 and later drop
 * from a partial update. Never `id` or `version`: with a version, Marathon refuses or rolls back.
 */
import type { App } from './app.ts';
import { MarathonError } from './error.ts';
import { oversize } from './size.ts';

export function appUpdate(app: App, changes: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const tooLarge = oversize(app, changes);
  if (tooLarge) {
    const { why, cure } = tooLarge;
    throw new MarathonError(`PUT /v2/apps${app.id}: not sent: ${why}`, cure, { retryable: false });
  }
  return { env: { ...app.env, ...changes }, ...(app.secrets && { secrets: app.secrets }), ...app.echoes };
}
