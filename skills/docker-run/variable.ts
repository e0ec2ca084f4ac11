/** Environment variables that load code into, or reroute the traffic of, whatever program runs. */

const NAMES = [
  // Which program, library or script is found.
  ...['PATH', 'LD_.*', 'DYLD_.*', '_RLD.*', 'LIBPATH', 'SHLIB_PATH', 'GCONV_PATH', 'LOCPATH', 'NLSPATH'],
  ...['GLIBC_TUNABLES', 'MALLOC_.*', 'NVIDIA_.*', 'GTK_.*MODULES', 'GIO_.*MODULES', 'QT_.*PLUGIN.*'],
  // What shells and the programs that call them run first.
  ...['BASH_ENV', 'ENV', 'ZDOTDIR', 'FPATH', 'PROMPT_COMMAND', 'PS4', 'SHELLOPTS', 'BASHOPTS', 'IFS', 'SHELL'],
  ...['EDITOR', 'VISUAL', 'PAGER', '.*_PAGER', 'MANPAGER', 'BROWSER', 'LESSOPEN', 'LESSCLOSE', 'VIMINIT', 'EXINIT'],
  // What interpreters and virtual machines load.
  ...['NODE_(?:OPTIONS|PATH|EXTRA_CA_CERTS|TLS_REJECT_UNAUTHORIZED|REPL_EXTERNAL_MODULE)', 'NPM_CONFIG_.*'],
  'PYTHON(?!(?:UNBUFFERED|DONTWRITEBYTECODE|HASHSEED|IOENCODING|UTF8)$).*',
  ...['PIP_.*', 'VIRTUAL_ENV', 'PERL5.*', 'PERLLIB', 'RUBY.*', 'GEM_.*', 'BUNDLE_.*', 'PHPRC', 'PHP_INI_SCAN_DIR'],
  ...['LUA_.*', 'JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'JDK_JAVA_OPTIONS', 'CLASSPATH', 'MAVEN_OPTS', 'GRADLE_OPTS'],
  ...['DOTNET_(?:STARTUP_HOOKS|ADDITIONAL_DEPS|SHARED_STORE|ROOT.*)', 'CORECLR_.*', 'COR_.*', 'COMPLUS_.*'],
  ...['GOFLAGS', 'GOPROXY', 'GONOSUM.*', 'RUSTC.*WRAPPER', 'CARGO_.*', 'ERL_.*FLAGS', 'R_PROFILE.*', 'R_ENVIRON.*'],
  // Whom a program trusts, and where its traffic goes.
  ...['OPENSSL_.*', 'SSL_CERT_.*', 'SSLKEYLOGFILE', '.*_CA_BUNDLE', 'CURL_HOME', 'WGETRC', 'GIT_.*', 'SSH_.*'],
  ...['(?:[A-Z0-9_]+_)?PROXY', 'PROXY_.*', 'HOSTALIASES', 'RES_OPTIONS', 'LOCALDOMAIN', 'RESOLV_.*'],
]
const LOADER_OR_PROXY = new RegExp(`^(?:${NAMES.join('|')})$`, 'i')

/** Such variables are allowed only by name. No list is complete: a policy that names its variables is the better one. */
export const isLoaderOrProxy = (name: string): boolean => LOADER_OR_PROXY.test(name)
