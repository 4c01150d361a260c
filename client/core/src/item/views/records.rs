//! Kinds whose fields are all texts.

use crate::item::document::Document;

macro_rules! text_view {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident = $key:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'d>(&'d Document);

        impl<'d> $name<'d> {
            /// The keys of all fields. Frozen.
            pub const FIELDS: &'static [&'static str] = &[$($key),+];

            /// Views a document so, whatever its kind.
            pub fn of(document: &'d Document) -> Self {
                Self(document)
            }

            $($(#[$field_doc])*
            pub fn $field(&self) -> Option<&'d str> {
                self.0.text($key)
            })+
        }
    };
}

text_view!(
    /// A payment card.
    Card {
        /// The name on the card.
        cardholder = "cardholder",
        /// The brand, as text.
        brand = "brand",
        /// The number, as typed.
        number = "number",
        /// Month of expiry, 1 to 12.
        expiry_month = "expiry-month",
        /// Year of expiry.
        expiry_year = "expiry-year",
        /// The security code.
        code = "code",
    }
);

text_view!(
    /// Names, addresses and numbers of a person.
    Identity {
        /// Mr, Ms, Dr.
        title = "title",
        /// First name.
        first_name = "first-name",
        /// Middle name.
        middle_name = "middle-name",
        /// Last name.
        last_name = "last-name",
        /// Address, line 1.
        address1 = "address1",
        /// Address, line 2.
        address2 = "address2",
        /// Address, line 3.
        address3 = "address3",
        /// Town.
        city = "city",
        /// State or region.
        state = "state",
        /// Postal code.
        postal_code = "postal-code",
        /// Country.
        country = "country",
        /// Company.
        company = "company",
        /// E-mail address.
        email = "email",
        /// Telephone number.
        phone = "phone",
        /// Social security number.
        ssn = "ssn",
        /// User name.
        username = "username",
        /// Passport number.
        passport_number = "passport-number",
        /// Driving licence number.
        license_number = "license-number",
    }
);

text_view!(
    /// An SSH key pair.
    SshKey {
        /// The private key, as its file holds it.
        private_key = "private-key",
        /// The public key, one line.
        public_key = "public-key",
        /// The fingerprint of the public key.
        fingerprint = "fingerprint",
    }
);

text_view!(
    /// A wireless network.
    Wifi {
        /// The network's name.
        ssid = "ssid",
        /// The password.
        password = "password",
        /// The kind of protection: `wpa2`, `wpa3`, `wep`, `open`.
        security = "security",
        /// Whether the network hides its name: `true` or `false`.
        hidden = "hidden",
    }
);

text_view!(
    /// Keys of a programming interface.
    ApiCredential {
        /// The key's public name.
        key_id = "key-id",
        /// The secret.
        secret = "secret",
        /// The address of the interface.
        endpoint = "endpoint",
        /// When it expires, as text.
        expires = "expires",
    }
);

text_view!(
    /// A file with its description.
    FileDocument {
        /// The file's name.
        file_name = "file-name",
        /// The file's media type.
        media_type = "media-type",
        /// What it is about.
        description = "description",
    }
);
