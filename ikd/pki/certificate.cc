#include "pki/certificate.h"

#include <algorithm>

#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "base/address.h"
#include "pki/openssl.h"

namespace pki {
namespace {

constexpr std::size_t longest_name = 200;

using Names = std::unique_ptr<GENERAL_NAMES, base::FreeWith<GENERAL_NAMES_free>>;
using Usages = std::unique_ptr<EXTENDED_KEY_USAGE, base::FreeWith<EXTENDED_KEY_USAGE_free>>;

base::Bytes der_of(const X509_NAME* name) {
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (X509_NAME_get0_der(name, &bytes, &size) != 1) return {};
  return {bytes, bytes + size};
}

std::string text_of(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()));
  constexpr unsigned long format =
      XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | (ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  X509_NAME_print_ex(out.get(), name, 0, format);
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  std::string text(data, static_cast<std::size_t>(size));
  if (text.size() <= longest_name) return text;
  auto end = longest_name - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

/// Text that holds a NUL could mean one thing here and another elsewhere: it is nobody's name.
std::optional<std::string> utf8_of(const ASN1_STRING* value) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, value);
  if (size < 0) return std::nullopt;
  std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  if (out.find('\0') != std::string::npos) return std::nullopt;
  return out;
}

base::ByteView octets_of(const ASN1_STRING* value) {
  return {ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))};
}

Names names_of(const X509* certificate) {
  return Names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return glob(a, b) && a.find('*') == a.npos;
}

}  // namespace

void free_certificate(x509_st* certificate) { X509_free(certificate); }

std::optional<Certificate> Certificate::from_der(base::ByteView der) {
  const unsigned char* at = der.data();
  Handle x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!x509 || at != der.data() + der.size()) return std::nullopt;
  return Certificate(std::move(x509));
}

base::Result<std::vector<Certificate>> Certificate::from_pem(base::ByteView text) {
  std::vector<Certificate> out;
  const auto in = reader_of(text);
  for (;;) {
    Handle x509(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (!x509) break;
    out.push_back(Certificate(std::move(x509)));
  }
  const auto code = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  const auto why = last_error();
  if (!at_end) return base::fail("holds a broken certificate: " + why);
  if (out.empty()) return base::fail("holds no certificate in PEM form");
  return out;
}

std::vector<Certificate> Certificate::from_pkcs7(base::ByteView der) {
  std::vector<Certificate> out;
  const unsigned char* at = der.data();
  const std::unique_ptr<PKCS7, base::FreeWith<PKCS7_free>> p7(
      d2i_PKCS7(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!p7 || !PKCS7_type_is_signed(p7.get()) || p7->d.sign == nullptr) return out;
  const STACK_OF(X509)* certificates = p7->d.sign->cert;
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    auto* x509 = sk_X509_value(certificates, i);
    X509_up_ref(x509);
    out.push_back(Certificate(Handle(x509)));
  }
  return out;
}

base::Bytes Certificate::der() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(x509_.get(), &bytes);
  if (size < 0) return {};
  base::Bytes out(bytes, bytes + size);
  OPENSSL_free(bytes);
  return out;
}

base::Bytes Certificate::subject_der() const { return der_of(X509_get_subject_name(x509_.get())); }
base::Bytes Certificate::issuer_der() const { return der_of(X509_get_issuer_name(x509_.get())); }
std::string Certificate::subject() const { return text_of(X509_get_subject_name(x509_.get())); }
std::string Certificate::issuer() const { return text_of(X509_get_issuer_name(x509_.get())); }

Attributes subject_attributes_of(const x509_st* certificate) {
  Attributes out;
  const auto* name = X509_get_subject_name(certificate);
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const auto* entry = X509_NAME_get_entry(name, i);
    const auto value = utf8_of(X509_NAME_ENTRY_get_data(entry));
    const auto* kind = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)));
    // An attribute that cannot be read counts all the same: a pattern that names its kind does not match.
    out.emplace_back(kind == nullptr ? "?" : kind, value.value_or(std::string(1, '\0')));
  }
  return out;
}

std::vector<std::string> Certificate::alternative_names() const {
  std::vector<std::string> out;
  const auto names = names_of(x509_.get());
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_EMAIL) {
      if (auto text = utf8_of(name->d.ia5)) out.push_back(std::move(*text));
    } else if (name->type == GEN_IPADD) {
      if (const auto address = base::Address::from_bytes(octets_of(name->d.iPAddress)))
        out.push_back(address->to_string());
    }
  }
  return out;
}

std::vector<std::string> Certificate::logins() const {
  std::vector<std::string> out;
  for (const auto& [kind, value] : subject_attributes()) {
    if (kind == "CN" && value.find('\0') == std::string::npos) out.push_back(value);
  }
  for (auto& name : alternative_names()) {
    if (name.find('@') != std::string::npos) out.push_back(std::move(name));
  }
  return out;
}

Validity Certificate::validity() const {
  const auto unix_time = [](const ASN1_TIME* time) -> std::int64_t {
    tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
  };
  return {.not_before = unix_time(X509_get0_notBefore(get())),
          .not_after = unix_time(X509_get0_notAfter(get()))};
}

bool Certificate::is_authority() const { return X509_check_ca(x509_.get()) > 0; }

bool Certificate::is_named_by(const ike::v1::Identification& id) const {
  using ike::v1::IdType;
  const auto names = alternative_names();
  const auto has = [&names](std::string_view wanted) {
    return std::ranges::any_of(names, [&](const auto& n) { return same_ignoring_case(wanted, n); });
  };
  switch (id.type) {
    case IdType::der_asn1_dn: {
      const unsigned char* at = id.data.data();
      const std::unique_ptr<X509_NAME, base::FreeWith<X509_NAME_free>> name(
          d2i_X509_NAME(nullptr, &at, static_cast<long>(id.data.size())));
      ERR_clear_error();
      return name && at == id.data.data() + id.data.size() && X509_NAME_entry_count(name.get()) > 0 &&
             X509_NAME_cmp(name.get(), X509_get_subject_name(x509_.get())) == 0;
    }
    case IdType::fqdn:
    case IdType::user_fqdn: {
      const auto text = base::as_text(id.data);
      const bool mail = text.find('@') != std::string_view::npos;
      return mail == (id.type == IdType::user_fqdn) && has(text);
    }
    case IdType::ipv4_addr:
    case IdType::ipv6_addr: {
      const auto address = id.address();
      return address && has(address->to_string());
    }
    default: return false;
  }
}

std::string Certificate::unfit_for_client() const {
  const auto usage = X509_get_key_usage(x509_.get());  // all bits where the extension is absent
  if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
    return "its key usage permits no signatures";
  const Usages extended(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(x509_.get(), NID_ext_key_usage, nullptr, nullptr)));
  if (!extended) return {};
  // Windows and most private authorities know the retired IKE intermediate (clients.md §7), not ipsecIKE.
  static constexpr std::string_view fit[] = {"1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.8.2.2", "1.3.6.1.5.5.7.3.17",
                                             "2.5.29.37.0"};
  for (int i = 0; i < sk_ASN1_OBJECT_num(extended.get()); ++i) {
    char oid[64] = {};
    OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(extended.get(), i), 1);
    if (std::ranges::find(fit, std::string_view(oid)) != std::end(fit)) return {};
  }
  return "its extended key usage is neither client authentication nor IPsec";
}

}  // namespace pki
