/** The one place that knows which release this is: package.json, which the bundle carries along. */
import manifest from '../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;
