/** The shapes of secrets that carry their own mark, wherever they stand in a text. Sources: the vendors' documentation. */

/** Each pattern is linear: bounded or single-class repetition, no nesting. Group 1, when present, is kept. */
export const RULES: readonly RegExp[] = [
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\:,]|-(?!----)){0,16384}(?:-----END [A-Z0-9 ]{0,40}-----)?/g,
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,255}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{36,255}\b/g,
  /\bgl(?:pat|ptt|rt|dt|cbt|ft|soat|agent)-[A-Za-z0-9_-]{20,255}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,255}/g,
  /\bxapp-[0-9]-[A-Za-z0-9-]{10,255}/g,
  /\bsk-(?:ant-|proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,255}/g,
  /\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,255}\b/g,
  /\bAIza[A-Za-z0-9_-]{35}/g,
  /\bya29\.[A-Za-z0-9_-]{20,1024}/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\bpypi-[A-Za-z0-9_-]{50,1024}/g,
  /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,255}/g,
  /\bhf_[A-Za-z0-9]{30,255}\b/g,
  /\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}/g,
  /\bhvs\.[A-Za-z0-9_-]{20,255}/g,
  /\bdop_v1_[a-f0-9]{64}\b/g,
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,4096}/g,
  /(https:\/\/hooks\.slack\.com\/services\/)[A-Za-z0-9/_-]{20,255}/g,
  /(\b[a-zA-Z][a-zA-Z0-9+.-]{1,30}:\/\/[^\s:/@"'<>]{0,256}:)[^\s/"'<>]{1,512}(?=@)/g,
  /(\b(?:authorization|proxy-authorization|x-registry-auth|x-api-key)["']?\s{0,4}[:=]\s{0,4}["']?)(?:(?:bearer|basic|digest|token|apikey)\s{1,4})?[^\s"',;]{3,4096}/gi,
  /(\b(?:bearer|basic)\s{1,4})[A-Za-z0-9+/_.~-]{16,4096}={0,2}/gi,
  /(\b(?:set-)?cookie["']?\s{0,4}:\s{0,4})[^\r\n"']{3,4096}/gi,
  /(--?(?:password|passwd|token|secret|api-key|access-key|private-key)(?:\s{1,4}|=)["']?)[^\s"']{1,1024}/gi,
]

/** `NAME=value`, `name: value`, `"name": "value"`, with the name in group 2 and an opening quote in group 4. */
export const ASSIGNMENT =
  /(?<![A-Za-z0-9_.-])((\b[A-Za-z_][A-Za-z0-9_.-]{1,100})(\\?["']?\s{0,4}[:=]\s{0,4}))(\\?["'])?/g

/**
 * Every rule and every secret name needs one of these in the lower-cased text; a text without any is done after three
 * searches. V8 searches plain words of one length class several times faster than all of them in one expression.
 */
const LONG_MARKS =
  /private key|akia|asia|abia|acca|ghp_|gho_|ghu_|ghs_|ghr_|github_pat|glpat|glptt|glrt|gldt|glcbt|glft|glsoat|glagent|xapp|whsec|aiza|ya29|npm_|pypi-|dckr_|hvs\.|dop_v1|hooks\.slack|basic|pass|secret|token|credential|auth|cookie|bearer/
const SHORT_MARKS = /xox|sk-|sk_|rk_|hf_|sg\.|eyj|:\/\/|pwd|key|jwt|otp/
const PAT = /pat(?!h|tern|ch)/

/** False when no rule and no assignment can apply. */
export function isSuspect(text: string): boolean {
  const lower = text.toLowerCase()
  return LONG_MARKS.test(lower) || SHORT_MARKS.test(lower) || PAT.test(lower)
}
