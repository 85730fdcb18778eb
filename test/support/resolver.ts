/**
 * Preloaded into the test app (`node --import`): stands in for the DNS of its cluster, where the names of its visitors
 * lead to the load balancer. Our own program needs none: it looks names up nowhere but at the CA.
 */
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

const address = process.env.NAMES_LEAD_TO;
Object.assign(dns, { lookup: async () => ({ address, family: 4 }) });
syncBuiltinESMExports();
