//! What the derive writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, GenericParam, Lifetime, Path, Type};

use crate::input::{Field, Row};

pub(crate) fn from_row(input: &DeriveInput, krate: Path) -> TokenStream {
    match Row::parse(input, krate) {
        Ok(row) => implementation(input, &row),
        Err(error) => error.into_compile_error(),
    }
}

fn implementation(input: &DeriveInput, row: &Row<'_>) -> TokenStream {
    let (krate, name) = (&row.krate, &input.ident);
    let own = Lifetime::new("'__row", Span::call_site());
    let lifetime = row.lifetime.unwrap_or(&own);
    let mut generics = input.generics.clone();
    if row.lifetime.is_none() {
        generics.params.insert(0, syn::parse_quote!(#own));
    }
    if generics.params.iter().any(|param| matches!(param, GenericParam::Type(_))) {
        let clause = generics.make_where_clause();
        for field in &row.fields {
            let ty = field.ty;
            clause.predicates.push(if field.flatten {
                syn::parse_quote!(#ty: #krate::FromRow<#lifetime>)
            } else {
                syn::parse_quote!(#ty: #krate::FromValue<#lifetime>)
            });
        }
    }
    let (implementation, _, clause) = generics.split_for_impl();
    let (_, arguments, _) = input.generics.split_for_impl();
    let (plan, read) = (plan(input, row, lifetime), read(row, lifetime));
    quote! {
        #[automatically_derived]
        impl #implementation #krate::FromRow<#lifetime> for #name #arguments #clause {
            fn plan<__Columns>(columns: &__Columns) -> ::core::result::Result<#krate::Plan, #krate::PlanError>
            where
                __Columns: #krate::ColumnSource + ?::core::marker::Sized,
            {
                #plan
            }

            #[inline]
            fn from_row<__Row>(plan: &#krate::Plan, row: __Row) -> ::core::result::Result<Self, __Row::Error>
            where
                __Row: #krate::RowSource<#lifetime>,
            {
                #read
            }
        }
    }
}

/// The body of `FromRow::plan`.
fn plan(input: &DeriveInput, row: &Row<'_>, lifetime: &Lifetime) -> TokenStream {
    let (krate, name) = (&row.krate, input.ident.to_string());
    let fields = row.own().map(|Field { ty, column, default, .. }| {
        let optional = default.then(|| quote!(.optional()));
        quote_spanned!(ty.span()=> #krate::Field::new::<#ty>(#column) #optional)
    });
    let by = Ident::new(if row.tuple { "by_position" } else { "by_name" }, Span::call_site());
    let nested = row.fields.iter().filter(|field| field.flatten).map(|Field { ty, .. }| {
        quote_spanned!(ty.span()=> .nest(<#ty as #krate::FromRow<#lifetime>>::plan(columns)?))
    });
    let own = quote!(#krate::Plan::#by(columns, #name, &[#(#fields),*]));
    if row.fields.iter().any(|field| field.flatten) {
        quote!(::core::result::Result::Ok(#own? #(#nested)*))
    } else {
        own
    }
}

/// The body of `FromRow::from_row`.
fn read(row: &Row<'_>, lifetime: &Lifetime) -> TokenStream {
    let krate = &row.krate;
    let count = row.own().count();
    let take = |ty: &Type| quote_spanned!(ty.span()=> #krate::CellSource::take::<#ty>(&mut cells)?);
    let straight = construct(row, lifetime, |_, field| take(field.ty));
    let straight = quote! {
        let value = #straight;
        #krate::CellSource::finish(cells)?;
    };
    let open = quote!(let mut cells = #krate::RowSource::cells(row, plan)?;);
    if row.tuple {
        return quote! {
            #open
            #straight
            ::core::result::Result::Ok(value)
        };
    }
    let slot = |place: usize| format_ident!("slot_{place}");
    let declared = row.own().enumerate().map(|(place, field)| {
        let (slot, ty) = (slot(place), field.ty);
        quote!(let mut #slot = ::core::option::Option::None::<#ty>;)
    });
    let arms = row.own().enumerate().map(|(place, field)| {
        let (slot, take) = (slot(place), take(field.ty));
        quote!(::core::option::Option::Some(#place) => #slot = ::core::option::Option::Some(#take),)
    });
    let scattered = construct(row, lifetime, |place, field| {
        let slot = slot(place);
        if field.default {
            quote!(#slot.unwrap_or_default())
        } else {
            quote!(#slot.ok_or(#krate::PlanError::Foreign)?)
        }
    });
    quote! {
        #open
        if plan.is_straight(#count) {
            #straight
            return ::core::result::Result::Ok(value);
        }
        #(#declared)*
        for step in plan.steps() {
            if step.skip > 0 {
                #krate::CellSource::skip(&mut cells, step.skip)?;
            }
            match step.field {
                #(#arms)*
                _ => {}
            }
        }
        #krate::CellSource::finish(cells)?;
        ::core::result::Result::Ok(#scattered)
    }
}

/// `Self` of an expression for each own field, and of the nested rows.
fn construct(
    row: &Row<'_>,
    lifetime: &Lifetime,
    own: impl Fn(usize, &Field<'_>) -> TokenStream,
) -> TokenStream {
    let krate = &row.krate;
    let (mut place, mut nested) = (0_usize, 0_usize);
    let values = row.fields.iter().map(|field| {
        let value = if field.flatten {
            nested += 1;
            let (ty, index) = (field.ty, nested - 1);
            quote!(<#ty as #krate::FromRow<#lifetime>>::from_row(plan.nested(#index)?, row)?)
        } else {
            place += 1;
            own(place - 1, field)
        };
        match field.ident {
            Some(ident) => quote!(#ident: #value),
            None => value,
        }
    });
    if row.tuple { quote!(Self(#(#values),*)) } else { quote!(Self { #(#values),* }) }
}
