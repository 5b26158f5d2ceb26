//! When a workflow starts by itself.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::Tables;
use crate::duration::expand_duration;
use crate::private::Private;
use crate::workflow::ast::{Missed, Overlap, Workflow};

impl Tables<'_> {
    /// The function that fills the parameters at a tick.
    pub(super) fn schedule(&mut self, workflow: &Workflow) -> TokenStream {
        let Some(schedule) = &workflow.schedule else { return quote!(#Private::Option::None) };
        let timezone = schedule.timezone.as_ref().map_or_else(|| "UTC".to_owned(), syn::LitStr::value);
        let values = workflow.params.iter().map(|param| {
            let ty = &param.ty;
            let value = schedule.fills.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value);
            quote!({ let value: #ty = #value; #Private::Value::new(value) })
        });
        let tick = Ident::new("tick", Span::call_site());
        let function = self.name();
        self.functions.extend(quote! {
            fn #function(#tick: &#Private::Zoned) -> #Private::Vec<#Private::Value> {
                let _ = #tick;
                <[_]>::into_vec(#Private::Box::new([#(#values),*]))
            }
        });
        let when = match (&schedule.cron, schedule.every) {
            (_, Some((period, _))) => {
                let period = expand_duration(period);
                quote!(#Private::When::Every(#period))
            }
            (cron, None) => quote!(#Private::When::Cron(#cron)),
        };
        let missed = match schedule.missed {
            Some((Missed::None, _)) => quote!(None),
            Some((Missed::All(count), _)) => quote!(All(#count)),
            Some((Missed::Latest, _)) | None => quote!(Latest),
        };
        let overlap = match schedule.overlap {
            Some(Overlap::Skip) => quote!(Skip),
            Some(Overlap::CancelOld) => quote!(CancelOld),
            Some(Overlap::Allow) => quote!(Allow),
            Some(Overlap::Queue) | None => quote!(Queue),
        };
        quote! {
            #Private::Option::Some(#Private::Schedule {
                when: #when,
                timezone: #timezone,
                missed: #Private::Missed::#missed,
                overlap: #Private::Overlap::#overlap,
                fill: #function,
            })
        }
    }
}
