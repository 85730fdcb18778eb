/**
 * acme-client, behind a file of ours: loaded when an order begins, and not before.
 *
 * A dynamic import of the package itself would give a bundle no names, for it is CommonJS.
 */
export { Client } from 'acme-client';
