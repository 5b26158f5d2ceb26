//! `#[derive(Resources)]`: each field of a struct is a resource by its type.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Index, Type};

use crate::diagnostics::Errors;
use crate::private::Private;

/// The expansion for a struct.
///
/// ```text
/// impl Resources for App {
///     fn find(&self, id: TypeId) -> Option<&(dyn Any + Send + Sync)> {
///         if id == TypeId::of::<Pool>() { return Some(&self.db); }
///         if id == TypeId::of::<Client>() { return Some(&self.http); }
///         None
///     }
/// }
/// impl Provides<Pool> for App {}
/// impl Provides<Client> for App {}
/// ```
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    check_generics(&input, &mut errors);
    let fields = fields(&input, &mut errors);
    check_types(&fields, &mut errors);
    match errors.is_empty() {
        true => implement(&input.ident, &fields),
        false => {
            // What the struct might provide is unknown, so it provides all.
            let stub = stub(&input);
            quote!(#errors #stub)
        }
    }
}

fn fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<&'a Field> {
    let keyword = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return fields.named.iter().collect(),
            Fields::Unnamed(fields) => return fields.unnamed.iter().collect(),
            Fields::Unit => return Vec::new(),
        },
        Data::Enum(data) => data.enum_token.span,
        Data::Union(data) => data.union_token.span,
    };
    errors.at(
        keyword,
        "resources are the fields of a struct\nhelp: derive `Resources` for a struct with a field for each of them",
    );
    Vec::new()
}

fn check_generics(input: &DeriveInput, errors: &mut Errors) {
    let Some(param) = input.generics.params.first() else { return };
    let name = match param {
        GenericParam::Lifetime(param) => param.lifetime.to_token_stream(),
        GenericParam::Type(param) => param.ident.to_token_stream(),
        GenericParam::Const(param) => param.ident.to_token_stream(),
    };
    errors.on(
        name,
        "a struct of resources cannot be generic\n\
         help: give each field a type of its own\n\
         note: tasks find a resource by its type",
    );
}

/// Types are compared as written; two names of one type are left to rustc,
/// which refuses the second implementation.
fn check_types(fields: &[&Field], errors: &mut Errors) {
    let text = |field: &Field| field.ty.to_token_stream().to_string();
    for (index, field) in fields.iter().enumerate() {
        let Some(earlier) = fields[..index].iter().find(|earlier| text(earlier) == text(field)) else {
            continue;
        };
        let of = earlier.ident.as_ref().map(|name| format!(", the type of `{name}`")).unwrap_or_default();
        errors.on(
            &field.ty,
            format_args!(
                "two resources of one type{of}\n\
                 help: wrap one of them in a type of its own, such as `struct Archive({ty});`\n\
                 note: tasks find a resource by its type",
                ty = text(field)
            ),
        );
    }
}

fn implement(name: &Ident, fields: &[&Field]) -> TokenStream {
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let find = fields.iter().enumerate().map(|(index, field)| {
        let ty = &field.ty;
        let member = match &field.ident {
            Some(name) => name.to_token_stream(),
            None => Index::from(index).to_token_stream(),
        };
        quote! {
            if id == ::core::any::TypeId::of::<#ty>() {
                return #Private::Option::Some(&self.#member);
            }
        }
    });
    // In a repetition `quote` takes no name of a constant.
    let provides = quote!(#Private::Provides);
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        impl #Private::Resources for #name {
            fn find(
                &self,
                id: ::core::any::TypeId,
            ) -> #Private::Option<&(dyn ::core::any::Any + ::core::marker::Send + ::core::marker::Sync)> {
                #(#find)*
                #Private::Option::None
            }
        }
        #(
            #[automatically_derived]
            impl #provides<#types> for #name {}
        )*
    }
}

fn stub(input: &DeriveInput) -> TokenStream {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    quote! {
        impl #Private::Resources for #name {
            fn find(
                &self,
                _: ::core::any::TypeId,
            ) -> #Private::Option<&(dyn ::core::any::Any + ::core::marker::Send + ::core::marker::Sync)> {
                ::core::unreachable!()
            }
        }
        impl<__T> #Private::Provides<__T> for #name {}
    }
}
