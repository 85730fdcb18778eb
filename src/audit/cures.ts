/**
 * What mends a finding behind marathon-lb: the label or the template, by name, as docs/audit.md has them in full.
 */
export const CURES = {
  template:
    "give marathon-lb's own app the HAPROXY_HTTPS_FRONTEND_HEAD of marathon/marathon-lb-hardened.json: TLS 1.2 and 1.3 with forward-secret AEAD suites only",
  modern:
    'marathon-lb whose HAProxy has OpenSSL 1.1.1 or later speaks TLS 1.3 (its image v1.12 and later); see that no ssl-max-ver or no-tlsv13 stands in its templates',
  key: 'let letsencrypt-dcos make the key: KEY_TYPE=ec256 or rsa4096',
  certificate: 'let letsencrypt-dcos keep the certificate; `letsencrypt-dcos status` and its page say what holds it up',
  name: "add the name to letsencrypt-dcos's HAPROXY_0_VHOST (or DOMAINS), and see that it leads to this load balancer",
  chain:
    'the variable of marathon-lb must hold the leaf, the intermediates and the key; letsencrypt-dcos posts all of them',
  hsts: 'label the app with HAPROXY_0_USE_HSTS=true and HAPROXY_0_BACKEND_HSTS_OPTIONS="  http-response set-header Strict-Transport-Security max-age=31536000\\n", or use marathon/marathon-lb-hardened.json, which sets it for every name',
  redirect: 'label the app with HAPROXY_0_REDIRECT_TO_HTTPS=true; challenges keep working',
  headers: 'add the http-response lines of docs/audit.md to the label HAPROXY_0_BACKEND_HTTP_OPTIONS',
} as const;

export type Cure = keyof typeof CURES;
