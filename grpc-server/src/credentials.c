/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

enum { LOOK_S = 2 };

grpc_server_credentials *credentials_new(const struct mesh_tls_files *files)
{
    if (files == NULL || !mesh_tls_given(files->cert)) {
        return NULL;
    }
    const bool mutual = mesh_tls_given(files->ca);
    grpc_tls_certificate_provider *provider = grpc_tls_certificate_provider_file_watcher_create(
        files->key, files->cert, mutual ? files->ca : NULL, LOOK_S);
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();

    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    if (mutual) {
        grpc_tls_credentials_options_watch_root_certs(options);
    }
    grpc_tls_credentials_options_set_cert_request_type(
        options, mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                        : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    return grpc_tls_server_credentials_create(options); /* which owns the options */
}
